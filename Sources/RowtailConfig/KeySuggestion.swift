// SPDX-License-Identifier: Apache-2.0

/// Finds what somebody meant who wrote a key that isn't there.
enum KeySuggestion {
    /// The known key that is closest to a word, if one is close.
    ///
    /// Close means alike but for case, `-` and `_`, or a typing error or two away.
    static func closest(to word: String, among known: [String]) -> String? {
        let bare = bareLetters(word)
        let candidates = known.map { (key: $0, distance: distance(bare, bareLetters($0))) }
        guard let best = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= min(2, (bare.count + 1) / 3) ? best.key : nil
    }

    private static func bareLetters(_ word: String) -> [Character] {
        word.lowercased().filter { $0 != "-" && $0 != "_" }
    }

    /// The number of letters to insert, remove or replace (Levenshtein), with one row of the table kept.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (leftIndex, leftLetter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = leftIndex + 1
            for (rightIndex, rightLetter) in right.enumerated() {
                let replaced = diagonal + (leftLetter == rightLetter ? 0 : 1)
                diagonal = row[rightIndex + 1]
                row[rightIndex + 1] = min(replaced, diagonal + 1, row[rightIndex] + 1)
            }
        }
        return row[right.count]
    }
}
