import HTTP
import Wire

/// What a path of the public listener means.
enum PublicPath: Equatable {
  case inference(RequestKind)
  case models
  /// The percent-decoded id behind `/models/`; slashes in it are part of it.
  case model([UInt8])
  case live
  case ready
  case unknown

  /// Under `/v1` and, for clients in OpenRouter mode, under `/api/v1`.
  init(_ bytes: Span<UInt8>, _ path: Range<Int>) {
    var rest = path
    if Self.take("/api/v1/", bytes, &rest) || Self.take("/v1/", bytes, &rest) {
      if bytes.equals(rest, "chat/completions") {
        self = .inference(.chatCompletions)
      } else if bytes.equals(rest, "completions") {
        self = .inference(.completions)
      } else if bytes.equals(rest, "models") {
        self = .models
      } else if Self.take("models/", bytes, &rest), let id = Self.decoded(bytes, rest), !id.isEmpty {
        self = .model(id)
      } else {
        self = .unknown
      }
    } else if bytes.equals(path, "/livez") {
      self = .live
    } else if bytes.equals(path, "/readyz") {
      self = .ready
    } else {
      self = .unknown
    }
  }

  private static func take(_ prefix: StaticString, _ bytes: Span<UInt8>, _ path: inout Range<Int>) -> Bool {
    let length = prefix.utf8CodeUnitCount
    guard path.count >= length, bytes.equals(path.lowerBound..<path.lowerBound + length, prefix) else { return false }
    path = path.lowerBound + length..<path.upperBound
    return true
  }

  private static func decoded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    func digit(_ index: Int) -> UInt8? {
      guard index < range.upperBound else { return nil }
      return switch bytes[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): bytes[index] - 48
      case UInt8(ascii: "a")...UInt8(ascii: "f"): bytes[index] - 87
      case UInt8(ascii: "A")...UInt8(ascii: "F"): bytes[index] - 55
      default: nil
      }
    }
    var decoded: [UInt8] = []
    var index = range.lowerBound
    while index < range.upperBound {
      if bytes[index] == UInt8(ascii: "%") {
        guard let high = digit(index + 1), let low = digit(index + 2) else { return nil }
        decoded.append(high << 4 | low)
        index += 3
      } else {
        decoded.append(bytes[index])
        index += 1
      }
    }
    return decoded
  }
}
