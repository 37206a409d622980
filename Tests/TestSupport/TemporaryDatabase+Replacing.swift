// SPDX-License-Identifier: Apache-2.0

/// What administrators do to a database file.
///
/// Done by other processes, as closing a descriptor of the file in this one would drop SQLite's locks.
extension TemporaryDatabase {
    /// Copies the file beside itself.
    ///
    /// - Returns: The copy's path.
    package func copy(_ name: String = "copy.db") throws -> String {
        let copy = directory.file(name)
        try Shell.run("cp", ["--force", path, copy])
        return copy
    }

    /// Moves another file to the database's place.
    package func replace(by other: String) throws {
        try Shell.run("mv", [other, path])
    }

    /// Writes another file's bytes over the database's, and its time of last change with them.
    package func overwrite(with other: String) throws {
        // Without O_TRUNC, as a restore tool may.
        try Shell.run("dd", ["if=\(other)", "of=\(path)", "conv=notrunc,fsync", "status=none"])
        try Shell.run("truncate", ["--reference=\(other)", path])
    }

    /// Restores another database into this one through SQLite's backup API, as `.restore` does.
    package func restore(from other: String) throws {
        try Shell.run("sqlite3", ["-cmd", ".timeout 10000", path, ".restore '\(other)'"])
    }
}
