/// A key or password that must not show up anywhere by accident: printing, interpolating, dumping or mirroring it
/// gives `<secret>`; only `reveal()` gives the text.
public struct Secret: Sendable, Equatable {
  private let text: String

  public init(_ text: String) {
    self.text = text
  }

  /// The text itself, to be sent to the provider and nowhere else.
  public func reveal() -> String {
    text
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "<secret>" }
  public var debugDescription: String { "<secret>" }
  public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
