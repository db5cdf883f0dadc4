extension LoopCounters {
  private static let refusals: [(LoopCounter, String)] = [
    (.refused400, "400"), (.refused401, "401"), (.refused402, "402"), (.refused403, "403"), (.refused404, "404"),
    (.refused405, "405"), (.refused408, "408"), (.refused413, "413"), (.refused415, "415"), (.refused429, "429"),
    (.refused431, "431"), (.refused500, "500"), (.refused502, "502"), (.refused503, "503"), (.refused504, "504"),
    (.refused508, "508"), (.refusedOther, "other"),
  ]

  /// The sums over all loops, for `/metrics`. A gauge that is a difference of counts is never below zero.
  public static func samples(of loops: [LoopCounters]) -> [Sample] {
    func sum(_ counter: LoopCounter) -> UInt64 { loops.reduce(0) { $0 &+ $1.value(of: counter) } }
    func counter(_ name: String, _ help: String, _ counter: LoopCounter) -> Sample {
      Sample(name: name, help: help, kind: .counter, value: Double(sum(counter)))
    }
    func gauge(_ name: String, _ help: String, _ began: LoopCounter, _ ended: LoopCounter) -> Sample {
      // What ended is read first, so that a loop that goes on meanwhile cannot make it look larger.
      let gone = sum(ended)
      let come = sum(began)
      return Sample(name: name, help: help, kind: .gauge, value: come > gone ? Double(come - gone) : 0)
    }
    var samples = [
      gauge("pointsman_connections", "Client connections that are open.", .connectionsAccepted, .connectionsClosed),
      gauge("pointsman_open_streams", "Answers that are being streamed.", .streamsOpened, .streamsClosed),
      counter("pointsman_connections_total", "Client connections accepted.", .connectionsAccepted),
      counter("pointsman_rounds_total", "Poll rounds of the loops.", .rounds),
      counter("pointsman_slow_rounds_total", "Poll rounds over 5 ms.", .slowRounds),
      counter("pointsman_received_bytes_total", "Bytes read from clients.", .bytesReceived),
      counter("pointsman_sent_bytes_total", "Bytes written to clients.", .bytesSent),
      counter("pointsman_journal_failures_total", "Journal writes that failed and are retried.", .journalFailures),
      counter("pointsman_clients_left_total", "Clients that left before the end of their answer.", .clientsLeft),
    ]
    for (counter, status) in refusals {
      samples.append(
        Sample(
          name: "pointsman_requests_refused_total", help: "Requests answered by the router without any attempt.",
          kind: .counter, labels: [("route", "unknown"), ("status", status)], value: Double(sum(counter))))
    }
    return samples
  }
}
