import Logging

/// Passes every log line on but the one by which Hummingbird calls each ordinary stop an error: that it was cancelled.
struct OrdinaryStop: LogHandler {
  private var base: any LogHandler

  init(_ base: any LogHandler) { self.base = base }

  func log(event: LogEvent) {
    if event.message.description.hasSuffix("CancellationError()") { return }
    base.log(event: event)
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  var logLevel: Logger.Level {
    get { base.logLevel }
    set { base.logLevel = newValue }
  }
}
