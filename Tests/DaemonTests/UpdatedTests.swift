// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// Mode `updated` as clients see it.
    @Suite struct UpdatedTests {
        private static let table = """
            CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT, changed TEXT);
            CREATE INDEX changes ON orders (changed);
            CREATE TRIGGER stamp AFTER INSERT ON orders BEGIN
                UPDATE orders SET changed = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id; END;
            CREATE TRIGGER restamp AFTER UPDATE OF state ON orders BEGIN
                UPDATE orders SET changed = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id; END;
            """

        private static func start(_ database: TemporaryDatabase, settle: String = "100ms") async throws -> DaemonProcess
        {
            try await DaemonProcess.start(
                config: DaemonProcess.write(
                    """
                    listen: 127.0.0.1:0
                    database: \(database.path)
                    state_directory: \(database.directory.file("state"))
                    poll_interval: 50ms
                    feeds: {orders: {mode: updated, watermark: changed, settle: \(settle)}}
                    """,
                    in: database.directory
                )
            )
        }

        @Test func `a client gets each state that it is there for, and resumes across a restart`() async throws {
            let database = try TemporaryDatabase(Self.table)
            try database.execute("INSERT INTO orders VALUES (1, 'new', '')")
            var daemon = try await Self.start(database)
            try await daemon.logged("watermark is understood")
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders?since=earliest")
            #expect(try await client.event()?.data?.contains(#""state":"new""#) == true)
            try database.execute("UPDATE orders SET state = 'paid'")
            let paid = try #require(try await client.event())
            #expect(paid.data?.contains(#""state":"paid""#) == true)
            let id = try #require(paid.id)
            #expect(id.wholeMatch(of: /\d{4}-\d\d-\d\d%20\d\d%3A\d\d%3A\d\d\.\d{3}~1/) != nil, "\(id)")
            try await daemon.terminate()
            try database.execute("UPDATE orders SET state = 'sent'; INSERT INTO orders VALUES (2, 'new', '')")
            daemon = try await Self.start(database)
            let (again, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: id)
            let events = try await again.events(2)
            #expect(events.map { $0.data?.contains(#""state":"sent""#) } == [true, false])
            #expect(try await daemon.feed().head == events[1].id)
            try await daemon.terminate()
        }

        @Test func `an id of a row that went away after a crash is no id from the future`() async throws {
            let database = try TemporaryDatabase(Self.table)
            try database.execute("INSERT INTO orders VALUES (1, 'new', '')")
            var daemon = try await Self.start(database)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders?since=earliest")
            _ = try await client.event()
            try database.execute("INSERT INTO orders VALUES (2, 'new', '')")
            let id = try #require(try await client.event()?.id)
            // Before the state is stored, which happens once a second.
            try await daemon.kill()
            try database.execute("DELETE FROM orders WHERE id = 2")
            daemon = try await Self.start(database)
            let (again, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: id)
            try database.execute("INSERT INTO orders VALUES (3, 'new', '')")
            let event = try #require(try await again.event())
            #expect(event.event == nil && event.id?.hasSuffix("~3") == true, "\(event)")
            // One that was never given out is.
            let (ahead, _) = try await StreamClient.stream(
                port: daemon.port,
                "/feeds/orders",
                lastEventID: "2999-01-01%2000%3A00%3A00.000~3"
            )
            #expect(try await ahead.event()?.data?.contains(#""reason":"ahead""#) == true)
            try await daemon.terminate()
        }

        @Test func `since takes a time, and ids of other modes are refused`() async throws {
            let database = try TemporaryDatabase(Self.table)
            try database.execute(
                """
                INSERT INTO orders VALUES (1, 'a', ''), (2, 'b', ''), (3, 'c', '');
                UPDATE orders SET changed = '2026-01-31 09:00:00.' || (id - 1) || '00';
                """
            )
            let daemon = try await Self.start(database)
            for (since, ids) in [
                ("2026-01-31T09:00:00Z", [1, 2, 3]), ("2026-01-31T09:00:00.1Z", [2, 3]),
                ("2026-01-31T10:00:00.101%2B01:00", [3]), ("2026-01-31T08:00:00.2-01:00", [3]),
                ("2025-01-01T00:00:00Z", [1, 2, 3]),
            ] {
                let (client, _) = try await StreamClient.stream(
                    port: daemon.port,
                    "/feeds/orders?since=\(since)&until=head"
                )
                let events = try await client.events(ids.count)
                #expect(events.map { $0.id?.suffix(2) } == ids.map { "~\($0)" }, "\(since)")
            }
            #expect(try await daemon.get("/feeds/orders?since=2030-01-01T00:00:00Z&until=head").status == 204)
            for (query, code) in [
                ("last_event_id=5", "bad_event_id"), ("since=7", "bad_event_id"),
                ("last_event_id=5~%25", "bad_event_id"),
                ("since=2026-01-31", "bad_event_id"),
            ] {
                let answer = try await daemon.get("/feeds/orders?\(query)")
                #expect(answer.status == 400 && answer.body.contains("\"\(code)\""), "\(query): \(answer)")
            }
            try await daemon.terminate()
        }

        @Test func `rows are sent as soon as they have settled, whatever the interval`() async throws {
            let database = try TemporaryDatabase(Self.table)
            let config = try DaemonProcess.write(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                poll_interval: 1h
                feeds: {orders: {mode: updated, watermark: changed, settle: 50ms}}
                """,
                in: database.directory
            )
            let daemon = try await DaemonProcess.start(config: config)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            try database.execute("INSERT INTO orders VALUES (1, 'new', '')")
            #expect(try await client.event()?.data?.contains(#""id":1,"#) == true)
            let (_, metrics) = try await daemon.get("/metrics")
            #expect(metrics.contains("rowtail_late_rows_total{feed=\"orders\"} 0\n"))
            try await daemon.terminate()
        }
    }
}
