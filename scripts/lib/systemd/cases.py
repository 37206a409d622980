# SPDX-License-Identifier: Apache-2.0
"""The cases of scripts/test-systemd: rowtail as systemd runs it. Prints a line for each.

Run in the box: python3 cases.py PACKAGE [WORDS]; only the cases whose sentence has all words.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import sys
import threading
import traceback

from box import *  # noqa: F403 # the vocabulary of this file

PACKAGE = sys.argv[1]
MAN_PAGES = [pathlib.Path("/usr/share/man/man1/rowtail.1.gz"), pathlib.Path("/usr/share/man/man5/rowtail.yaml.5.gz")]
CASES = []


def case(sentence):
    def remember(function):
        CASES.append((sentence, function))
        return function

    return remember


@case("an installed package runs nothing, and its user is there")
def _():
    check(show("ActiveState") == "inactive", "the service runs")
    for unit in ("rowtail.service", "rowtail.socket"):
        check(show("UnitFileState", unit) == "disabled", f"{unit} is {show('UnitFileState', unit)}")
    check(run("id", "--user", "--name", "rowtail") == "rowtail", "there is no user")
    check(run("/usr/bin/rowtail", "--version").startswith("rowtail "), "no version")
    check(all(page.exists() for page in MAN_PAGES), "there are no manual pages")
    # The sample is in order, but for the database that it names.
    check("app.db" in run("rowtail", "check", fails=True), "the check says nothing of the database")


@case("the units are in order, and closed to a score of 1.5 at most")
def _():
    files = ["/usr/lib/systemd/system/rowtail.service", "/usr/lib/systemd/system/rowtail.socket"]
    complaints = [line for line in run("systemd-analyze", "verify", "--man=no", *files).splitlines() if "rowtail" in line]
    check(not complaints, "\n".join(complaints))
    score = re.search(r"exposure level for rowtail\.service: ([\d.]+)", run("systemd-analyze", "security", "rowtail.service"))
    check(score and float(score[1]) <= 1.5, f"the score is {score and score[1]}")


@case("start returns once the daemon serves, and the status says how things stand")
def _():
    application().insert(3)
    configure(orders())
    for _ in range(5):
        run("systemctl", "restart", "rowtail.service")
        # At once: nobody waits here.
        status, body = get("/readyz")
        check(status == 200 and json.loads(body)["feeds"] == {"orders": "live"}, f"/readyz answers {status}: {body}")
    check(show("User") == "rowtail" and owner(f"/proc/{main_pid()}") == "rowtail", "it runs as another user")
    check(show("StatusText").startswith("1 feed live"), f"the status is '{show('StatusText')}'")
    stream = Stream()
    eventually("a stream in the status", lambda: "1 stream," in show("StatusText"))
    check(stream.ids(3) == ["1", "2", "3"], "not all rows")
    run("systemctl", "stop", "rowtail.service")
    check(show("Result") == "success" and show("ExecMainStatus") == "0", f"it ended with {show('ExecMainStatus')}")
    name, _, data = stream.event()
    check((name, json.loads(data)) == ("rowtail.end", {"reason": "drain"}), f"the last event was {name} {data}")


@case("a wrong configuration is not tried again, and any other end is")
def _():
    application()
    configure("feeds: {orders: {tabel: orders}}\n")
    run("systemctl", "start", "rowtail.service", fails=True)
    eventually("failed", lambda: show("ActiveState") == "failed")
    check((show("ExecMainStatus"), show("NRestarts")) == ("78", "0"), "it was tried again")
    start(orders(), "RestartSec=100ms")
    pid = main_pid()
    os.kill(pid, signal.SIGTERM)
    eventually("a new process", lambda: main_pid() not in (0, pid) and show("ActiveState") == "active")


@case("reload adds a feed, cuts nobody off, and refuses a wrong file")
def _():
    application().insert(3)
    start(orders())
    pid, stream = main_pid(), Stream()
    check(stream.ids(3) == ["1", "2", "3"], "not all rows")
    configure(orders() + "  others: {table: orders}\n")
    run("systemctl", "reload", "rowtail.service")
    eventually("the feed appears", lambda: "others" in feeds())
    check(show("ActiveState") in ("active", "reloading"), show("ActiveState"))
    configure(orders() + "  others: {tabel: orders}\n")
    run("systemctl", "reload", "rowtail.service")
    entry = eventually("the refusal", lambda: [entry for entry in journal("--lines=20") if "refused" in entry["MESSAGE"]])[-1]
    check(entry["PRIORITY"] == "3" and "tabel" in entry["MESSAGE"], f"{entry['PRIORITY']}: {entry['MESSAGE']}")
    eventually("active", lambda: show("ActiveState") == "active")
    check(set(feeds()) == {"orders", "others"} and main_pid() == pid, "the old configuration is not in force")
    Application().insert(1)
    check(stream.ids(1) == ["4"], "the stream was cut off")


@case("the watchdog restarts a process that hangs, and leaves one alone that works")
def _():
    application().insert(1)
    start(orders(), "WatchdogSec=1s\nTimeoutAbortSec=1s\nRestartSec=100ms")
    pid, began = main_pid(), show("ExecMainStartTimestampMonotonic")
    # It has to be fed for longer than the timeout.
    eventually("3 s", lambda: float(open("/proc/uptime").read().split()[0]) * 1e6 > int(began) + 3e6)
    check(main_pid() == pid and show("NRestarts") == "0", "a process that works was restarted")
    os.kill(pid, signal.SIGSTOP)
    eventually("a new process", lambda: main_pid() not in (0, pid) and show("ActiveState") == "active")
    check("Watchdog timeout" in run("journalctl", "--unit=rowtail.service", "--lines=50"), "it was not the watchdog")
    check(get("/readyz")[0] == 200, "it doesn't serve")


@case("after kill -9 clients go on exactly where they were")
def _():
    writer = application()
    writer.insert(50)
    start(orders(), "RestartSec=10ms")
    client = Client()
    client.await_id(50)
    for number in range(3):
        pid = main_pid()
        os.kill(pid, signal.SIGKILL)
        writer.insert(100)
        eventually("a new process", lambda: main_pid() not in (0, pid) and show("ActiveState") == "active")
        writer.insert(100)
        client.await_id(50 + 200 * (number + 1))
    client.end()
    check(client.ids == [str(number) for number in range(1, 651)], f"not each event once, in order: {len(client.ids)}")
    check(client.connects >= 4, "the client was never cut off")


@case("with rowtail.socket no client is refused while the daemon restarts")
def _():
    application().insert(1)
    configure(orders(head="listen: systemd\n"))
    run("systemctl", "start", "rowtail.socket")
    check(show("ActiveState") == "inactive", "the daemon runs before anyone came")
    check(get("/feeds")[0] == 200, "a client doesn't start the daemon")
    # It answers before it has polled.
    eventually("active", lambda: show("ActiveState") == "active")
    refused, answered, ending = [], [], threading.Event()

    def knock():
        while not ending.is_set():
            try:
                stream = Stream()
                # Its row, or that the stream ends in order as the daemon does.
                answered.append(stream.event()[0] in (None, "rowtail.end"))
                stream.close()
            except Exception as error:  # whatever it is, it counts
                refused.append(repr(error))

    clients = [threading.Thread(target=knock, daemon=True) for _ in range(4)]
    for client in clients:
        client.start()
    pids = {main_pid()}
    for _ in range(5):
        before = len(answered)
        run("systemctl", "restart", "rowtail.service")
        pids.add(main_pid())
        eventually("answers", lambda: len(answered) > before + 20)
    # Those that wait while nothing runs are answered by the next process.
    ending.set()
    for client in clients:
        client.join(30)
    check(not refused, f"{len(refused)} of {len(answered)} were refused: {refused[:3]}")
    check(all(answered) and len(pids) == 6, f"{len(pids)} processes")


@case("sockets are told apart by name, and one that isn't there is an error that says so")
def _():
    application().insert(1)
    configure(orders(head="listen: systemd:metrics\n"))
    run("systemctl", "start", "rowtail.socket")
    run("systemctl", "start", "rowtail.service", fails=True)
    messages = eventually("the error", lambda: [entry["MESSAGE"] for entry in journal("--lines=20") if "'metrics'" in entry["MESSAGE"]])
    check("'http'" in messages[-1], messages[-1])
    reset()
    application().insert(1)
    configure(orders(head="listen: systemd:http\n"), socket="ListenStream=/run/rowtail-case.sock\nSocketMode=0666")
    run("systemctl", "start", "rowtail.socket", "rowtail.service")
    check(get("/readyz")[0] == 200, "TCP is not served")
    answer = run("curl", "--silent", "--fail", "--unix-socket", "/run/rowtail-case.sock", "http://localhost/readyz")
    check('"ready":true' in answer.replace(" ", ""), answer)


def secrets(*names):
    """A folder of root's alone with a token, and a certificate with its key; and the drop-in that hands on some of them."""
    folder = pathlib.Path("/etc/rowtail/case")
    folder.mkdir(mode=0o700, exist_ok=True)
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", folder / "key", "-out", folder / "certificate",
    )
    (folder / "tokens").write_text("correct-horse-battery-staple orders\n")
    for name in ("tokens", "key"):
        (folder / name).chmod(0o600)
    return folder, "\n".join(f"LoadCredential={name}:{folder}/{name}" for name in names)


@case("tokens that only root may read come as credentials")
def _():
    application().insert(1)
    _, drop_in = secrets("tokens")
    start(orders(head="auth: {tokens_file: '${CREDENTIALS_DIRECTORY}/tokens'}\n"), drop_in)
    check(owner(f"/proc/{main_pid()}") == "rowtail", "it runs as root")
    check(get("/feeds/orders")[0] == 401, "a stranger is let in")
    check(get("/feeds/orders", token="wrong")[0] == 401, "a wrong token is let in")
    check(Stream(token="correct-horse-battery-staple").ids(1) == ["1"], "the token is not let in")
    check(not [entry for entry in journal() if "battery" in entry["MESSAGE"]], "the token is in the journal")


@case("a key for TLS that only root may read comes as a credential")
def _():
    application().insert(1)
    folder, drop_in = secrets("certificate", "key")
    names = "tls: {certificate: '${CREDENTIALS_DIRECTORY}/certificate', private_key: '${CREDENTIALS_DIRECTORY}/key'}\n"
    start(orders(head=names), drop_in)
    check(owner(f"/proc/{main_pid()}") == "rowtail", "it runs as root")
    check(Stream(trust=folder / "certificate").ids(1) == ["1"], "not all rows")


@case("lines in the journal have priorities, and no time of their own")
def _():
    application()
    for form in ("text", "json"):
        start(orders(DATA / "missing.db", head=f"log: {{format: {form}}}\n"))
        found = {}
        for entry in eventually("lines", lambda: journal(f"_PID={main_pid()}")):
            found[entry["PRIORITY"]] = entry["MESSAGE"]
        check({"5", "6"} <= set(found), f"the priorities are {found}")
        level = "notice " if form == "text" else '{"time":'
        check(found["5"].startswith(level) and "feed waits" in found["5"], found["5"])
        run("systemctl", "stop", "rowtail.service")


def another_users_database(**options):
    """A database in WAL mode that the application's group may read, and nobody else."""
    run("useradd", "--system", "--user-group", "app", fails=True)
    DATA.mkdir(parents=True)
    DATA.chmod(options.pop("mode", 0o750))
    run("chown", "app:app", DATA)
    return Application(user="app", **options).make()


@case("a database that its group may read is served to a member, and waited for at rest")
def _():
    writer = another_users_database(umask=0o027)
    writer.insert(2)
    start(orders())
    await_state("broken")
    run("systemctl", "stop", "rowtail.service")
    start(orders(), "SupplementaryGroups=app")
    stream = Stream()
    check(stream.ids(2) == ["1", "2"], "not all rows")
    writer.insert(1)
    check(stream.ids(1) == ["3"], "not all rows")
    # While rowtail has it open, what lies beside it stays.
    writer.close()
    run("systemctl", "restart", "rowtail.service")
    check(Stream().ids(3) == ["1", "2", "3"], "not all rows")
    # At rest.
    run("systemctl", "stop", "rowtail.service")
    writer = Application(user="app", umask=0o027)
    writer.insert(1)
    writer.close()
    check([path.name for path in DATA.iterdir()] == ["app.db"], "the database is not at rest")
    run("systemctl", "start", "rowtail.service")
    await_state("waiting")
    check({owner(path) for path in DATA.iterdir()} == {"app"}, f"{[(path, owner(path)) for path in DATA.iterdir()]}")
    stream = Stream(last="3")
    writer = Application(user="app", umask=0o027)
    writer.insert(1)
    check(stream.ids(2) == ["4", "5"], "not all rows")
    writer.close()


@case("so it is without the user of the package, by one that systemd makes up")
def _():
    run("userdel", "rowtail")
    try:
        writer = another_users_database(umask=0o027)
        writer.insert(2)
        start(orders(), "SupplementaryGroups=app")
        check(Stream().ids(2) == ["1", "2"], "not all rows")
        check(61184 <= os.stat(f"/proc/{main_pid()}").st_uid <= 65519, "the user is not one of systemd's")
    finally:
        run("systemctl", "stop", "rowtail.service")
        run("systemd-sysusers", "rowtail.conf")


@case("a database at rest is served where the group may write, and the application can still write")
def _():
    writer = another_users_database(umask=0o007, mode=0o2770)
    writer.insert(2)
    writer.close()
    (DATA / "app.db").chmod(0o660)
    check([path.name for path in DATA.iterdir()] == ["app.db"], "the database is not at rest")
    start(orders(), f"SupplementaryGroups=app\nReadWritePaths={DATA}")
    stream = Stream()
    check(stream.ids(2) == ["1", "2"], "not all rows")
    writer = Application(user="app", umask=0o007)
    writer.insert(1)
    check(stream.ids(1) == ["3"], "not all rows")
    os.kill(main_pid(), signal.SIGKILL)
    writer.insert(1)
    writer.close()
    writer = Application(user="app", umask=0o007)
    writer.insert(1)
    client = Client()
    client.await_id(5)
    client.end()


@case("a database that nobody else may read is served by the application's user, and the state moves along")
def _():
    application().insert(2)
    start(orders())
    check(Stream().ids(2) == ["1", "2"], "not all rows")
    run("systemctl", "stop", "rowtail.service")
    records = sorted(path.name for path in STATE[0].iterdir())
    check(records, "there is no state")
    run("rm", "-rf", DATA)
    writer = another_users_database(umask=0o077, mode=0o700)
    writer.insert(2)
    start(orders(), "DynamicUser=no\nUser=app\nReadWritePaths=" + str(DATA))
    check(Stream().ids(2) == ["1", "2"], "not all rows")
    check(owner(f"/proc/{main_pid()}") == "app", "it runs as another user")
    check(not STATE[1].is_symlink() and {owner(path) for path in STATE[1].iterdir()} == {"app"}, "the state didn't move")
    check(set(records) <= {path.name for path in STATE[1].iterdir()}, "the state is another")


@case("a database in /home is served once the drop-in lets it be seen")
def _():
    home = pathlib.Path("/home/app")
    home.mkdir(exist_ok=True)
    writer = Application(home / "app.db").make()
    writer.insert(1)
    start(orders(home / "app.db"))
    check(feeds()["orders"]["state"] != "live", "it is seen")
    run("systemctl", "stop", "rowtail.service")
    start(orders(home / "app.db"), "ProtectHome=read-only")
    check(Stream().ids(1) == ["1"], "not all rows")
    writer.close()


def from_page(path):
    """Writes a file of docs/clients.md, cut out as it stands there."""
    page = pathlib.Path("/root/checkout/docs/clients.md").read_text()
    path.write_text(re.search(rf"<!-- test: {re.escape(path.name)} -->\n\n```\w+\n(.*?\n)```\n", page, re.DOTALL)[1])
    return path


@case("the timer of docs/clients.md hands each row on once, though the daemon is not always there")
def _():
    program = from_page(pathlib.Path("/usr/local/bin/orders-new"))
    program.chmod(0o755)
    units = [from_page(pathlib.Path("/etc/systemd/system", f"orders-new.{kind}")) for kind in ("service", "timer")]
    drop_in = pathlib.Path("/etc/systemd/system/orders-new.timer.d")

    def handed_on():
        run("journalctl", "--sync")
        return re.findall(r'^{"id":(\d+),', run("journalctl", "--unit=orders-new.service", "--output=cat"), re.MULTILINE)

    try:
        complaints = run("systemd-analyze", "verify", "--man=no", *units)
        check("orders-new" not in complaints, complaints)
        writer = application()
        writer.insert(2)
        start(orders())
        eventually("both rows", lambda: feeds()["orders"]["head"] == "2")
        for _ in range(2):
            run("systemctl", "start", "orders-new.service")
            check(handed_on() == ["1", "2"], f"handed on: {handed_on()}")
        run("systemctl", "stop", "rowtail.service")
        writer.insert(1)
        run("systemctl", "start", "orders-new.service", fails=True)
        check(show("ExecMainStatus", "orders-new.service") == "7", "it is not curl's exit code")
        start(orders())
        eventually("the third row", lambda: feeds()["orders"]["head"] == "3")
        # Sooner than the page says.
        drop_in.mkdir()
        (drop_in / "case.conf").write_text("[Timer]\nOnActiveSec=100ms\nAccuracySec=10ms\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "enable", "--now", "orders-new.timer")
        eventually("the timer starts it", lambda: handed_on() == ["1", "2", "3"])
        check(show("NextElapseUSecRealtime", "orders-new.timer"), "the timer has no next time")
    finally:
        run("systemctl", "disable", "--now", "orders-new.timer", fails=True)
        run("systemctl", "stop", "orders-new.service", fails=True)
        run("systemctl", "reset-failed", "orders-new.service", fails=True)
        for path in [program, *units]:
            path.unlink(missing_ok=True)
        for folder in [drop_in, pathlib.Path("/var/lib/private/orders-new")]:
            shutil.rmtree(folder, ignore_errors=True)
        pathlib.Path("/var/lib/orders-new").unlink(missing_ok=True)


def newer_package():
    """The package again, as a later revision with another sample."""
    folder = pathlib.Path("/root/newer")
    run("dpkg-deb", "--raw-extract", PACKAGE, folder)
    control = folder / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", lambda line: line[0] + "+newer", control.read_text()))
    sample = folder / "etc/rowtail/rowtail.yaml"
    sample.write_text(sample.read_text() + "# A later sample.\n")
    # Quickly, not small.
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder, "/root/newer.deb")
    return "/root/newer.deb"


@case("an upgrade keeps a changed configuration, and a running daemon goes on")
def _():
    writer = application()
    writer.insert(2)
    start(orders())
    client, pid = Client(), main_pid()
    client.await_id(2)
    run("dpkg", "--install", "--force-confold", newer_package())
    check(CONFIG.read_text() == orders(), "the configuration was changed")
    check(show("ActiveState") == "active" and main_pid() != pid, "it was not restarted")
    writer.insert(2)
    client.await_id(4)
    client.end()
    check(client.ids == ["1", "2", "3", "4"], f"the client saw {client.ids}")
    run("systemctl", "stop", "rowtail.service")
    run("dpkg", "--install", "--force-confold", "--force-downgrade", PACKAGE)
    check(show("ActiveState") == "inactive", "one that was stopped was started")


@case("removing the package stops the daemon and keeps configuration and state; purging takes them")
def _():
    application().insert(1)
    start(orders())
    run("systemctl", "enable", "rowtail.service", "rowtail.socket")
    run("dpkg", "--remove", "rowtail")
    check(not any(page.exists() for page in MAN_PAGES), "the manual pages are left")
    check(show("ActiveState") != "active" and not run("pgrep", "-x", "rowtail", fails=True), "it runs")
    check(CONFIG.exists() and any(STATE[0].iterdir()), "configuration or state are gone")
    run("dpkg", "--purge", "rowtail")
    left = [str(path) for path in [CONFIG.parent / "rowtail.yaml", *STATE] if path.exists() or path.is_symlink()]
    left += run("find", "/etc/systemd", "-name", "*rowtail*", "-not", "-name", "*.d").split()
    check(not left, f"{left} are left")


@case("scripts/install does the same from a checkout, twice as well as once")
def _():
    def install(*arguments):
        return run("/root/checkout/scripts/install", *arguments)

    CONFIG.unlink(missing_ok=True)
    for _ in range(2):
        check("Next:" in install("--binary", "/root/rowtail"), "it doesn't say what is next")
    check(all(page.exists() for page in MAN_PAGES), "there are no manual pages")
    check(show("UnitFileState") == "disabled" and show("ActiveState") == "inactive", "it is enabled or runs")
    application().insert(1)
    start(orders())
    pid = main_pid()
    check("Kept" in install("--binary", "/root/rowtail"), "it doesn't say that it kept the configuration")
    check(CONFIG.read_text() == orders(), "the configuration was changed")
    check(main_pid() not in (0, pid) and get("/readyz")[0] == 200, "a running daemon was not restarted")
    install("--uninstall")
    check(not os.path.exists("/usr/bin/rowtail") and not run("pgrep", "-x", "rowtail", fails=True), "it is still there")
    check(not any(page.exists() for page in MAN_PAGES), "the manual pages are left")
    check(CONFIG.exists() and STATE[0].exists(), "configuration or state are gone")
    install("--uninstall", "--purge")
    check(not CONFIG.exists() and not STATE[0].exists(), "configuration or state are left")
    install("--uninstall")


def give_up(*_):
    raise Failed("not over after 90 s")


def main():
    words = sys.argv[2:]
    signal.signal(signal.SIGALRM, give_up)
    run("dpkg", "--install", PACKAGE)
    chosen = [item for item in CASES if all(word in item[0] for word in words)]
    failures = 0
    for number, (sentence, function) in enumerate(chosen, 1):
        try:
            # Whatever waits without a limit of its own.
            signal.alarm(90)
            reset()
            function()
            signal.alarm(0)
            print(f"ok {number} - {sentence}", flush=True)
        except Exception as error:
            signal.alarm(0)
            failures += 1
            print(f"not ok {number} - {sentence}", flush=True)
            print(f"{error}" if isinstance(error, Failed) else traceback.format_exc(), file=sys.stderr)
            status = run("systemctl", "status", "--no-pager", "--lines=0", "rowtail.service", "rowtail.socket", fails=True)
            recent = run("journalctl", "--no-pager", "--lines=25", "--unit=rowtail.service", "--unit=rowtail.socket", fails=True)
            print(f"{status}\n{recent}", file=sys.stderr, flush=True)
    print(f"1..{len(chosen)}")
    sys.exit(1 if failures or not chosen else 0)


main()
