/// What routing needs of a request body. Offsets point into the body that was scanned.
public struct RequestScan: Sendable, Equatable {
  /// `n` times the number of prompts may be this much at most.
  public static let choiceLimit = 2048

  /// The member `stream_options` as the client sent it.
  public enum StreamOptions: Sendable, Equatable {
    /// An object and its `include_usage`.
    public struct Object: Sendable, Equatable {
      /// The whole value, braces included.
      public internal(set) var range: Range<Int>
      public internal(set) var isEmpty = true
      /// Where the value of `include_usage` stands.
      public internal(set) var includeUsage: Range<Int>?
      public internal(set) var asksUsage = false

      init(range: Range<Int>) { self.range = range }
    }

    case absent
    case null(Range<Int>)
    case object(Object)
  }

  public let kind: RequestKind
  /// The model's name, unescaped, in UTF-8; never empty.
  public internal(set) var modelName: [UInt8] = []
  /// Where the model's name stands, quotes included; empty, behind the opening brace, when only `models` names it.
  public internal(set) var modelRange = 0..<0
  /// Whether the answer is asked for as events.
  public internal(set) var stream = false
  public internal(set) var streamOptions = StreamOptions.absent
  /// How many choices the answer will have: `n` for each prompt.
  public internal(set) var choiceCount = 1
  /// `max_completion_tokens`, or else `max_tokens`.
  public internal(set) var maxOutputTokens: Int?
  /// The parameters that the client sent.
  public internal(set) var parameters: ParameterSet = []
  /// What the messages hold beside text.
  public internal(set) var modalities: InputModalities = []
  /// Images, sounds and files in the messages, and how many bytes of the body they take as base64 text.
  public internal(set) var mediaCount = 0
  public internal(set) var mediaBytes = 0
  /// Whether the history holds reasoning that only its maker accepts back: a `signature`, a `thought_signature`, or
  /// `reasoning_details` of type `reasoning.encrypted`.
  public internal(set) var hasReasoningSignatures = false
  /// Whether any message or tool carries `cache_control` or `prompt_cache_breakpoint`.
  public internal(set) var hasCacheMarkers = false
  /// `nil` for a request without messages.
  public internal(set) var conversation: ConversationHash?
  /// What the body asks of the choice; `nil` when it asks nothing, which is the usual case.
  public internal(set) var controls: RequestControls? {
    get { boxedControls?.value }
    set { boxedControls = newValue.map(BoxedControls.init) }
  }
  private var boxedControls: BoxedControls?
  /// The top level as it stands in the body: what is cut out for a provider is found here.
  var members: [RequestScanner.Member] = []
  /// Whether `response_format` asks for something else than text, JSON or a schema: a grammar, for example.
  var hasOtherFormat = false
  /// Whether there is a member that no provider gets.
  var hasRouterMembers = false
  /// The offset behind the body's opening brace.
  public let afterBrace: Int
  public let bodyLength: Int

  init(kind: RequestKind, afterBrace: Int, bodyLength: Int) {
    self.kind = kind
    self.afterBrace = afterBrace
    self.bodyLength = bodyLength
  }

  /// Lets go of where the members stand, once nothing is sent any more: a stream may stay open for long.
  public mutating func forgetMembers() { members = [] }

  /// Where the value of `tools` stands, null too.
  public var toolsRange: Range<Int>? { members.first { $0.routed == .tools }?.value }
  /// Where the value of `response_format` stands, null too.
  public var responseFormatRange: Range<Int>? { members.first { $0.routed == .responseFormat }?.value }

  /// Whether the client asked for usage in a chunk of its own at the end of the stream.
  public var includeUsage: Bool {
    if case .object(let object) = streamOptions { object.asksUsage } else { false }
  }
}
