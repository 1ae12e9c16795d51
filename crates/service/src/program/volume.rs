//! How much a program has written, and how much it leaves free on the disk.
//!
//! The limit of one file is the kernel's to keep; that of all of them is looked after here, by looking again and again. What
//! is over it is found a moment late, so that a program may write more than its volume holds, by what the disk takes within
//! that moment.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use tokio::time::sleep;

use super::launch::HostContract;

/// The time between two looks at the disk.
const LOOK_AT_DISK: Duration = Duration::from_millis(500);
/// The part of the time that looking through the folder may take.
const SHARE_OF_LOOKING: u32 = 20;
/// What a file takes for itself; many empty ones fill a disk as well.
const OF_A_FILE: u64 = 512;

/// The volume of a program.
pub(super) struct Volume {
    folder: PathBuf,
    /// Folders of inputs, which count elsewhere.
    left_out: Vec<PathBuf>,
    most: Option<u64>,
    reserve: Option<u64>,
}

impl Volume {
    pub(super) fn of(contract: &HostContract) -> Self {
        Self {
            folder: contract.root.clone(),
            left_out: contract.inputs().map(|input| contract.place(input)).collect(),
            most: contract.limits.volume_bytes,
            reserve: contract.limits.reserve_bytes,
        }
    }

    /// Waits until more is written than may be; why, for the person whose job it is.
    pub(super) async fn overflow(self) -> String {
        if self.most.is_none() && self.reserve.is_none() {
            std::future::pending::<()>().await;
        }
        let mut volume = self;
        let mut next_look = Instant::now() + LOOK_AT_DISK;
        loop {
            sleep(LOOK_AT_DISK).await;
            let looks = Instant::now() >= next_look;
            let look = move || {
                let began = Instant::now();
                let found = volume.look(looks);
                (volume, found, began.elapsed())
            };
            // A look that panicked was the last.
            let Ok((back, found, took)) = tokio::task::spawn_blocking(look).await else {
                return std::future::pending().await;
            };
            if let Some(reason) = found {
                return reason;
            }
            if looks {
                next_look = Instant::now() + took * SHARE_OF_LOOKING;
            }
            volume = back;
        }
    }

    fn look(&self, through_folder: bool) -> Option<String> {
        if let (Some(reserve), Ok(disk)) = (self.reserve, statvfs(&self.folder)) {
            #[allow(clippy::useless_conversion)] // elsewhere than on Linux it is a u32
            let free = u64::from(disk.blocks_available()).saturating_mul(disk.fragment_size());
            if free < reserve {
                return Some(format!(
                    "the job was ended because {free} bytes are left on the service's disk, less than \
                     objects.reserve_bytes ({reserve})"
                ));
            }
        }
        let most = self.most.filter(|_| through_folder)?;
        let mut written = Written { most, bytes: 0, several_links: HashSet::new() };
        written.count(&self.folder, &self.left_out);
        (written.bytes > most).then(|| {
            format!(
                "the job was ended because it has written more than VolumeSizeInGB {} holds: ask for a larger volume",
                most >> 30
            )
        })
    }
}

struct Written {
    most: u64,
    bytes: u64,
    /// Files with several names, by device and number: they count once.
    several_links: HashSet<(u64, u64)>,
}

impl Written {
    /// Counts what lies in a folder, until it is too much. Links are not followed; what cannot be read is not counted.
    fn count(&mut self, folder: &Path, left_out: &[PathBuf]) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if self.bytes > self.most {
                return;
            }
            if metadata.is_dir() {
                let path = entry.path();
                if !left_out.contains(&path) {
                    self.bytes += OF_A_FILE;
                    self.count(&path, left_out);
                }
            } else if metadata.nlink() == 1 || self.several_links.insert((metadata.dev(), metadata.ino())) {
                self.bytes += OF_A_FILE + metadata.blocks() * 512;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn volume(folder: &Path, most: u64) -> Volume {
        Volume { folder: folder.to_owned(), left_out: vec![folder.join("input")], most: Some(most), reserve: None }
    }

    #[test]
    fn inputs_do_not_count_and_files_with_several_names_count_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("input")).unwrap();
        std::fs::write(folder.path().join("input/large"), vec![1; 1 << 20]).unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        let file = folder.path().join("out/file");
        std::fs::write(&file, vec![1; 100 << 10]).unwrap();
        for number in 0..10 {
            std::fs::hard_link(&file, folder.path().join(format!("out/{number}"))).unwrap();
        }
        assert_eq!(volume(folder.path(), 150 << 10).look(true), None);
        assert!(volume(folder.path(), 90 << 10).look(true).unwrap().contains("VolumeSizeInGB"));
        assert_eq!(volume(folder.path(), 90 << 10).look(false), None);
    }

    #[test]
    fn a_disk_that_is_nearly_full_ends_the_job() {
        let folder = tempfile::tempdir().unwrap();
        let full = Volume { reserve: Some(u64::MAX), ..volume(folder.path(), u64::MAX) };
        assert!(full.look(false).unwrap().contains("objects.reserve_bytes"));
        assert_eq!(Volume { reserve: Some(0), ..volume(folder.path(), u64::MAX) }.look(true), None);
    }
}
