// A page opened from a disk may not start a worker, and Material searches in one: run it in a hidden frame instead.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(url) {
    super()
    const frame = this.frame = Object.assign(document.createElement("iframe"), {hidden: true})
    document.body.append(frame)
    addEventListener("message", event => {
      if (event.source !== frame.contentWindow) return
      const message = new MessageEvent("message", {data: event.data})
      this.dispatchEvent(message)
      this.onmessage?.(message)
    })
    const inside = frame.contentWindow
    inside.postMessage = data => inside.parent.dispatchEvent(new MessageEvent("message", {data, source: inside}))
    inside.importScripts = (...urls) => urls.reduce((before, next) => before.then(() => this.load(next)), Promise.resolve())
    this.ready = this.load(url)
  }
  load(url) {
    const script = this.frame.contentDocument.createElement("script")
    const loaded = new Promise((resolve, reject) => Object.assign(script, {onload: resolve, onerror: reject}))
    script.src = url
    this.frame.contentDocument.body.append(script)
    return loaded
  }
  postMessage(data) {
    const inside = this.frame.contentWindow
    this.ready.then(() => inside.dispatchEvent(new MessageEvent("message", {data})))
  }
  terminate() { this.frame.remove() }
}
