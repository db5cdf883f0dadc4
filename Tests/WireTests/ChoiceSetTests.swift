import Testing

@testable import Wire

@Suite struct ChoiceSetTests {
  @Test func `the set agrees with a Set of integers`() {
    var random = SeededRandom(11)
    for limit in [4, 130, 300, 4096] {
      var set = ChoiceSet()
      var model: Set<Int> = []
      for _ in 0..<200 {
        let index = Int.random(in: 0..<limit, using: &random)
        set.insert(index)
        model.insert(index)
      }
      #expect(set.count == model.count)
      #expect((0..<ChoiceSet.limit).allSatisfy { set.contains($0) == model.contains($0) })
      #expect(set.missing(below: limit) == (0..<limit).filter { !model.contains($0) })
    }
  }

  @Test func `all indexes below a count`() {
    for count in [0, 1, 2, 63, 64, 65, 127, 128, 129, 192, 2048] {
      var set = ChoiceSet()
      for index in 0..<count { set.insert(index) }
      #expect(set.containsAll(below: count))
      #expect(!set.containsAll(below: count + 1))
      #expect(set.count == count)
    }
  }

  @Test func `union`() {
    var left = ChoiceSet()
    var right = ChoiceSet()
    for index in [0, 5, 127] { left.insert(index) }
    for index in [5, 128, 700] { right.insert(index) }
    left.formUnion(right)
    #expect((0..<1000).filter(left.contains) == [0, 5, 127, 128, 700])
  }

  @Test func `indexes outside are ignored`() {
    var set = ChoiceSet()
    for index in [-1, Int.min, 4096, Int.max] {
      set.insert(index)
      #expect(!set.contains(index))
    }
    #expect(set.isEmpty)
  }
}
