//! How the program behaves towards terminals, pipes and shells.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::program::{Folder, Ran, command};
use crate::traffic;

#[test]
fn shells_complete_the_commands() {
    let folder = Folder::new();
    let bash = folder.run(&["completions", "bash"]).ended(0);
    folder.write("completion.bash", &bash.stdout);
    let script = "source completion.bash; COMP_WORDS=(watchkeeper bas); COMP_CWORD=1; \
                  _watchkeeper watchkeeper bas watchkeeper; echo \"${COMPREPLY[@]}\"";
    let output = command("bash").args(["-c", script]).current_dir(folder.path("")).output().unwrap();
    assert_eq!(Ran::of(output).ended(0).stdout, "baseline\n");
    let zsh = folder.run(&["completions", "zsh"]).ended(0);
    assert!(zsh.stdout.starts_with("#compdef watchkeeper\n") && zsh.stdout.contains("--dry-run-script"));
    let fish = folder.run(&["completions", "fish"]).ended(0);
    assert!(fish.stdout.contains("complete -c watchkeeper") && fish.stdout.contains("dry-run-script"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::new();
    let header: Vec<String> = (0..1_500).map(|index| format!("column_{index}")).collect();
    let row = vec!["1"; header.len()].join(",");
    folder.write("wide.csv", format!("{}\n{row}\n", header.join(",")));
    folder.run(&["baseline", "wide.csv", "-o", "base"]).ended(0);
    let captures: String = (0..900).map(|index| traffic::record(index, "1", "2,3")).collect();
    folder.write("capture.jsonl", captures);
    folder.write("script.py", "def preprocess_handler(record):\n    return {'a': 1}\n");
    let cases: [&[&str]; 6] = [
        &["baseline", "wide.csv"],
        &["baseline", "wide.csv", "--format", "json"],
        &["check", "wide.csv", "--baseline", "base", "--format", "json"],
        &["inspect", "base/statistics.json"],
        &["inspect", "base/statistics.json", "--format", "json"],
        &["check", "capture.jsonl", "--dry-run-script", "script.py"],
    ];
    for case in cases {
        assert!(folder.run(case).stdout.len() > 100_000, "{case:?}: no more than a pipe holds");
        let mut child = folder.command(case).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Gone before the first line.
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().unwrap()).ended(0);
        assert_eq!(ran.stderr, "", "{case:?}");
    }
}

/// Runs a program on a terminal, by way of Python's standard library.
const ON_TERMINAL: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::with_churn();
    let check = ["check", "current.csv", "--baseline", "baseline.csv"];
    let ran = folder.run(&check).ended(1);
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'));
    assert_eq!(ran.stderr, "");
    let ran = folder.run_with(&check, &[("CLICOLOR_FORCE", "1")]).ended(1);
    assert!(ran.stdout.contains("\x1b["), "there is colour to be taken out");
    let ran = folder.run_with(&check, &[("NO_COLOR", "1"), ("TERM", "xterm-256color")]).ended(1);
    assert!(!ran.stdout.contains('\x1b'));

    // A real terminal.
    let on_terminal = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut python = command("python3");
        python.args(["-c", ON_TERMINAL, env!("CARGO_BIN_EXE_watchkeeper")]).args(arguments);
        python.env("TERM", "xterm-256color").envs(environment.iter().copied()).current_dir(folder.path(""));
        Ran::of(python.stdin(Stdio::null()).output().unwrap())
    };
    let is_colour = |text: &str| {
        text.split("\x1b[")
            .skip(1)
            .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
    };
    let ran = on_terminal(&[], &check).ended(1);
    assert!(is_colour(&ran.stdout), "{:?}", ran.stdout);
    let ran = on_terminal(&[("NO_COLOR", "1")], &check).ended(1);
    assert!(!is_colour(&ran.stdout), "{:?}", ran.stdout);
}

#[test]
fn a_progress_bar_counts_what_has_been_read() {
    let folder = Folder::new();
    let pipe = folder.pipe("pipe");
    let mut python = command("python3");
    python.args(["-c", ON_TERMINAL, env!("CARGO_BIN_EXE_watchkeeper"), "baseline", "pipe", "--format", "csv"]);
    python.env("TERM", "xterm-256color").current_dir(folder.path("")).stdin(Stdio::null());
    let mut child = python.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Rows come until the bar has been seen.
    let seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let rows = scope.spawn(|| {
            let mut pipe = std::fs::File::create(&pipe).unwrap();
            pipe.write_all(b"a,b\n").unwrap();
            let mut rows = 0;
            while !seen.load(Ordering::Relaxed) && rows < 50_000_000 {
                pipe.write_all(&b"1,two\n".repeat(1000)).unwrap();
                rows += 1000;
            }
            rows
        });
        let mut shown = String::new();
        let mut terminal = BufReader::new(child.stdout.take().unwrap());
        let mut piece = Vec::new();
        while terminal.read_until(b'\r', &mut piece).unwrap() > 0 {
            shown.push_str(&String::from_utf8_lossy(&std::mem::take(&mut piece)));
            if shown.contains(" records") {
                seen.store(true, Ordering::Relaxed);
            }
        }
        let rows: u32 = rows.join().unwrap();
        assert!(child.wait().unwrap().success(), "{shown}");
        // Gone when it is done: what is left on the screen is the table, with the number in it.
        let rest = shown.rsplit("\x1b[2K").next().unwrap();
        assert!(rest.contains("type") && shown.matches("/s, ").count() > 0, "{shown:?}");
        let digits: String = rest
            .lines()
            .last()
            .unwrap()
            .split(" record")
            .next()
            .unwrap()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        assert_eq!(digits, rows.to_string(), "{rest}");
    });
}
