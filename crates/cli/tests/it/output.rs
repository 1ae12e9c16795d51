//! Results are written whole or not at all.

use std::path::PathBuf;

use crate::program::{Folder, command, repository};

fn churn(name: &str) -> String {
    repository("examples/churn").join(name).display().to_string()
}

#[test]
fn a_folder_that_cannot_be_written_is_found_out_before_the_dataset_is_read() {
    let folder = Folder::new();
    folder.write("file", "mine");
    folder.write("a/statistics.json/inside", "mine");
    let before = folder.contents("");
    // The dataset does not end: whoever reads it first never comes back.
    for (place, reason) in [
        ("file", "Could not write results to file: Not a directory (os error 20)"),
        ("file/below", "Could not write results to file/below: Not a directory (os error 20)"),
        ("/proc/watchkeeper", "Could not write results to /proc/watchkeeper: No such file or directory (os error 2)"),
    ] {
        for arguments in [
            &["baseline", "/dev/zero", "--format", "csv", "-o", place][..],
            &["check", "/dev/zero", "--format", "csv", "--baseline", "/dev/zero", "-o", place],
        ] {
            let ran = folder.run(arguments).ended(2);
            assert_eq!(ran.stderr, format!("Error: {reason}\n"));
        }
        let ran = folder.run_with(
            &["analyze", "model-monitor-analyzer"],
            &[
                ("dataset_format", "{\"csv\": {}}"),
                ("dataset_source", "/dev/zero"),
                ("output_path", place),
                ("output_message_file", "message"),
            ],
        );
        assert_eq!(ran.ended(1).stderr, format!("ERROR Error: {reason}\n"));
        assert_eq!(folder.read("message"), format!("Error: {reason}"));
        std::fs::remove_file(folder.path("message")).unwrap();
    }
    // A folder stands where a file should.
    let ran = folder.run(&["baseline", &churn("baseline.csv"), "-o", "a"]).ended(2);
    assert_eq!(ran.stderr, "Error: Could not write results to a/statistics.json: is a directory\n");
    assert!(folder.contents("") == before, "{:?}", folder.names(""));
}

/// A file system of its own, as small as told.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount anything.
    fn at(path: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let option = format!("size={size}");
        let mounted = command("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        assert!(std::env::var_os("CI").is_none(), "a full disk cannot be made: mounting is not permitted");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = command("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[allow(clippy::print_stderr)] // what was not tested
fn a_full_disk() {
    // The first file does not fit; the last does not.
    for size in ["64k", "700k"] {
        let folder = Folder::new();
        let Some(_disk) = SmallDisk::at(folder.path("disk"), size) else {
            eprintln!("output::a_full_disk did not run: mounting a file system is not permitted here");
            return;
        };
        folder.write("disk/statistics.json", "of last week");
        let before = folder.contents("disk");
        for place in ["disk", "disk/new/folder"] {
            let ran = folder.run(&["baseline", &churn("baseline.csv"), "-o", place]).ended(2);
            let (place, reason) = ran.stderr.split_once(": No space").unwrap_or_else(|| panic!("{}", ran.stderr));
            assert!(place.starts_with("Error: Could not write results to disk/"), "{}", ran.stderr);
            assert_eq!(reason, " left on device (os error 28)\n");
            assert!(folder.contents("disk") == before, "{:?}", folder.names("disk"));
        }
    }
}

#[test]
fn results_replace_those_of_an_earlier_run_and_leave_all_else() {
    let folder = Folder::new();
    folder.write("data.csv", "a\n1\n");
    folder.write("out/notes.txt", "mine");
    folder.write("out/statistics.json", "old");
    folder.run(&["baseline", "data.csv", "-o", "out"]).ended(0);
    assert_eq!(folder.names("out"), ["constraints.json", "notes.txt", "report.html", "statistics.json"]);
    assert!(folder.read("out/statistics.json").starts_with('{'));
    // Readable as the user's mask allows, not for its owner alone.
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&folder.path("out/statistics.json").metadata().unwrap().permissions());
    let own = std::os::unix::fs::PermissionsExt::mode(&folder.path("data.csv").metadata().unwrap().permissions());
    assert_eq!(mode, own);
    // A report is written where it is asked for, a device too.
    folder.run(&["report", "out", "-o", "/dev/null"]).ended(0);
}
