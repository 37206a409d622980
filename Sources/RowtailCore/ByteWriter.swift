// SPDX-License-Identifier: Apache-2.0

/// A growing run of bytes that is filled, copied out and used again, so that encoding a page allocates nothing.
///
/// It doubles when full and keeps its memory; a page is bounded by `page_bytes` and `max_event_bytes`, and so is this.
package struct ByteWriter: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int

    /// How many bytes were written.
    package private(set) var count = 0

    /// Allocates room for a first page.
    package init(capacity: Int = 64 * 1024) {
        self.capacity = max(capacity, 64)
        base = .allocate(capacity: self.capacity)
    }

    deinit {
        base.deallocate()
    }

    /// The bytes written so far; valid until the next write.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Forgets all bytes after the first `count`.
    package mutating func truncate(to count: Int) {
        precondition(count <= self.count)
        self.count = count
    }

    /// Makes room for more bytes and returns where they go; ``advance(by:)`` says how many were put there.
    package mutating func reserve(_ extra: Int) -> UnsafeMutablePointer<UInt8> {
        if count + extra > capacity {
            grow(to: count + extra)
        }
        return base + count
    }

    /// Counts bytes that were put where ``reserve(_:)`` said.
    package mutating func advance(by written: Int) {
        precondition(count + written <= capacity)
        count += written
    }

    private mutating func grow(to needed: Int) {
        var larger = capacity
        while larger < needed {
            larger *= 2
        }
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        moved.update(from: base, count: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    /// Writes one byte.
    package mutating func write(_ byte: UInt8) {
        reserve(1).pointee = byte
        count += 1
    }

    /// Writes a literal.
    package mutating func write(_ literal: StaticString) {
        write(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Writes bytes.
    package mutating func write(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress else { return }
        UnsafeMutableRawPointer(reserve(source.count)).copyMemory(from: start, byteCount: source.count)
        count += source.count
    }

    /// Writes bytes.
    package mutating func write(_ source: [UInt8]) {
        source.withUnsafeBytes { write($0) }
    }

    /// Writes a text's UTF-8.
    package mutating func write(text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    /// The numbers 00 to 99, two digits each.
    private static let pairs: StaticString = """
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """

    /// Writes an integer in decimal.
    package mutating func write(decimal value: Int64) {
        var rest = value.magnitude
        let start = reserve(20)
        var target = start
        if value < 0 {
            target.pointee = UInt8(ascii: "-")
            target += 1
        }
        // Digits come out last first; count them so that each goes straight to its place.
        let digits = Self.digits(of: rest)
        var at = target + digits
        let pairs = Self.pairs.utf8Start
        while rest >= 100 {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 100)
            at -= 2
            at.update(from: pairs + Int(2 * remainder), count: 2)
            rest = quotient
        }
        if rest >= 10 {
            target.update(from: pairs + Int(2 * rest), count: 2)
        } else {
            target.pointee = UInt8(ascii: "0") + UInt8(rest)
        }
        count += (target - start) + digits
    }

    private static func digits(of value: UInt64) -> Int {
        var (rest, digits) = (value, 1)
        while rest >= 10_000 {
            rest /= 10_000
            digits += 4
        }
        if rest >= 1000 { return digits + 3 }
        if rest >= 100 { return digits + 2 }
        return rest >= 10 ? digits + 1 : digits
    }

    /// Replaces one byte written before.
    package mutating func patch(at offset: Int, _ byte: UInt8) {
        precondition(offset < count)
        base[offset] = byte
    }

    /// Moves everything from `offset` on `extra` bytes towards the end; the bytes in the gap are undefined.
    package mutating func openGap(at offset: Int, of extra: Int) {
        precondition(offset <= count)
        _ = reserve(extra)
        UnsafeMutableRawPointer(base + offset + extra).copyMemory(from: base + offset, byteCount: count - offset)
        count += extra
    }
}
