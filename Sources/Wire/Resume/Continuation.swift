/// How an endpoint is asked to go on with an answer that another one began.
public enum Continuation: String, Sendable, CaseIterable {
  /// The last message is an assistant's, and the answer goes on behind it: Anthropic, DeepSeek, Mistral. llama.cpp
  /// repeats the message at the start of its answer then, but not when it is asked in the next way.
  case prefill
  /// The same, by a server that begins its answer with the text that it was given: llama.cpp without the two members below.
  case echoedPrefill = "echoed_prefill"
  /// The same, with `continue_final_message` true and `add_generation_prompt` false, without which many an engine would
  /// close that message and begin another: vLLM, SGLang, TGI, llama.cpp, tabbyAPI.
  case continueFinalMessage = "continue_final_message"
  /// Only `POST /v1/completions` can be gone on with, by a longer prompt.
  case completion
}
