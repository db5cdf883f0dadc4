/// What a route may do beyond one attempt for each completion, by its place in `RouteTable.routes`.
extension EndpointHealth {
  /// The first attempt of a completion: earns a fifth of a retry.
  public func noteFirstAttempt(route: Int) {
    if routes.indices.contains(route) { routes[route].retries.earn() }
  }

  /// Whether one attempt more may be made; it is then counted.
  public func takeRetry(route: Int) -> Bool {
    routes.indices.contains(route) && routes[route].retries.take()
  }

  /// A settled attempt that was no hedge: the route may hedge for this share of it.
  ///
  /// - Parameters:
  ///   - nanoUSD: what it cost; 0 when that is unknown, which still counts as a request.
  ///   - share: 0 to 1.
  public func earnHedge(route: Int, nanoUSD: Int64, share: Double) {
    if routes.indices.contains(route) { routes[route].hedges.earn(nanoUSD, share: share) }
  }

  /// Whether a hedge of this cost may be sent; it is then counted.
  public func takeHedge(route: Int, expectedNanoUSD: Int64) -> Bool {
    routes.indices.contains(route) && routes[route].hedges.take(expectedNanoUSD)
  }
}
