//! The few kinds of mounts that a sandbox is made of.

use std::fs;
use std::io::Result;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};

pub(super) const NOTHING: Option<&str> = None;

/// Shows a file or folder, with what is mounted below, at another place.
pub(super) fn bind(from: &Path, to: &Path) -> Result<()> {
    Ok(mount(Some(from), to, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)?)
}

/// The same, not to be written to.
pub(super) fn bind_read_only(from: &Path, to: &Path) -> Result<()> {
    bind(from, to)?;
    remount(to, true)?;
    for below in mounts_below(to) {
        // What cannot be changed, as a mount that waits for its first use, is as writable as its user may write to it.
        let _ = remount(&below, true);
    }
    Ok(())
}

/// Puts a file system in memory at a place.
pub(super) fn memory(place: &Path, options: &str) -> Result<()> {
    Ok(mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options))?)
}

/// Changes whether a mount can be written to. Its other flags stay as they are: in a user namespace they have to.
pub(super) fn remount(place: &Path, read_only: bool) -> Result<()> {
    let now = statvfs(place)?.flags();
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    flags.set(MsFlags::MS_RDONLY, read_only);
    flags.set(MsFlags::MS_NOSUID, now.contains(FsFlags::ST_NOSUID));
    flags.set(MsFlags::MS_NODEV, now.contains(FsFlags::ST_NODEV));
    flags.set(MsFlags::MS_NOEXEC, now.contains(FsFlags::ST_NOEXEC));
    flags.set(MsFlags::MS_NOATIME, now.contains(FsFlags::ST_NOATIME));
    flags.set(MsFlags::MS_NODIRATIME, now.contains(FsFlags::ST_NODIRATIME));
    flags.set(MsFlags::MS_RELATIME, now.contains(FsFlags::ST_RELATIME));
    Ok(mount(NOTHING, place, NOTHING, flags, NOTHING)?)
}

/// What is mounted below a place.
fn mounts_below(place: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let points = table.split(|&byte| byte == b'\n').filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    let points = points.map(|point| PathBuf::from(std::ffi::OsString::from_vec(unescaped(point))));
    points.filter(|point| point != place && point.starts_with(place)).collect()
}

/// A path of that table, which has blanks and the like as a backslash and three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = (byte == b'\\').then(|| after.get(..3)).flatten();
        let octal = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(byte));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_table_of_mounts() {
        assert_eq!(unescaped(br"/mnt/a\040b\134c"), b"/mnt/a b\\c");
        assert_eq!(unescaped(br"/plain\"), br"/plain\");
    }
}
