/// Why a request body is refused. The gateway answers each of these with status 400.
public struct RequestError: Error, Sendable, Equatable {
  public enum Code: Sendable {
    case invalidJSON, depthExceeded, tooManyKeys, duplicateKey, ambiguousKey, missing, wrongType, outOfRange, tooLong
  }

  public let code: Code
  /// The member at fault, such as `stream_options.include_usage`; never text from inside the prompt.
  public let param: String?
  /// What is wrong, where, and what to do; holds nothing of the prompt.
  public let message: String

  init(_ code: Code, _ param: String? = nil, _ message: String) {
    self.code = code
    self.param = param
    self.message = message
  }

  static func wrongType(_ param: String, _ expected: String, _ offset: Int) -> RequestError {
    RequestError(.wrongType, param, "`\(param)` must be \(expected) (byte \(offset)).")
  }

  init(_ fault: JSONFault) {
    if fault.reason == .depthExceeded {
      self.init(
        .depthExceeded, nil,
        "The body nests arrays and objects more than \(RequestScanner.depthLimit) deep at byte \(fault.offset); "
          + "send a flatter body.")
    } else {
      self.init(
        .invalidJSON, nil,
        "The body is not valid JSON: \(fault.what) at byte \(fault.offset). Send one JSON object in UTF-8.")
    }
  }
}
