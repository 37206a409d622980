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

    /// Writes an integer in decimal.
    package mutating func write(decimal value: Int64) {
        var rest = value.magnitude
        let start = reserve(20)
        // Digits come out last first; count them so that each goes straight to its place.
        var digits = 1
        var probe = rest
        while probe >= 10 {
            probe /= 10
            digits += 1
        }
        var target = start
        if value < 0 {
            target.pointee = UInt8(ascii: "-")
            target += 1
        }
        var at = target + digits
        repeat {
            at -= 1
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            at.pointee = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
            rest = quotient
        } while rest > 0
        count += (target - start) + digits
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
