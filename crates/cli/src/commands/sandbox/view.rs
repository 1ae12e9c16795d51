//! The file system that a program sees: the system's own folders and what is shown of the machine, or an unpacked image, and
//! in both the job's folder at `/opt/ml`, its folder for temporary files, devices that hold nothing, and a `/proc` of its own
//! processes. The machine's file system is let go of, so that there is nothing to find a way out to.
//!
//! Everything is read-only but the job's folder, `/tmp`, `/var/tmp`, the home folder (all of them the job's), `/dev/shm`, and
//! an unpacked image, which has a layer of the job's own above it.

use std::fmt::Display;
use std::fs;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use watchkeeper_service::program::launch::{Confinement, HostContract, SYSTEM_FOLDERS, is_of_the_system};
use watchkeeper_store::StorageFault;

use super::TEMPORARY_BELOW;
use super::mounts::{NOTHING, bind, bind_read_only, memory, remount};

const JOB_FOLDER: &str = "/opt/ml";
/// The folders for temporary files.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
/// Where the machine's file system is until it is let go of.
const MACHINE: &str = "/.machine";
/// Below the job's folder: its home folder, and the layer above an unpacked image, with what that needs.
const HOME: &str = "home";
const LAYER: &str = "layer";
const WRITTEN: &str = "layer/written";
const WORK: &str = "layer/work";
/// Devices that hold nothing of the machine's; those of graphics cards are there where the machine has some.
const DEVICES: [&str; 14] = [
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps",
    "dri",
    "kfd",
    "infiniband",
];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// The memory that `/dev/shm` may take, where nothing says how much the program has.
const SHARED_MEMORY: u64 = 1 << 30;
/// What of the machine's network has to be known to use it; links lead to it from `/etc`.
const OF_THE_NETWORK: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs"];

/// What could not be done, and why.
pub(super) type Failure = String;

/// For `map_err`.
pub(super) fn said<E: Display>(what: impl Display) -> impl FnOnce(E) -> Failure {
    move |error| format!("{what}: {error}")
}

/// Where what has to be known of the network lies, if it is not where every program sees it.
pub(super) fn of_the_network() -> impl Iterator<Item = PathBuf> {
    let real = OF_THE_NETWORK.iter().filter_map(|path| Path::new(path).canonicalize().ok());
    real.filter(|path| !is_of_the_system(path))
}

/// Makes the folders below the job's that are the program's own, and no part of the contract, anew: what a program left in
/// them that ran here before could lead elsewhere.
pub(super) fn prepare(contract: &HostContract, confinement: &Confinement) -> Result<(), Failure> {
    let make = || -> Result<(), Error> {
        for folder in [HOME, LAYER] {
            match fs::remove_dir_all(contract.root.join(folder)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::create_dir(contract.root.join(HOME))?;
        if let Some(rootfs) = &confinement.rootfs {
            fs::create_dir_all(contract.root.join(WORK))?;
            layer(&contract.root.join(WRITTEN), rootfs)?;
        }
        Ok(())
    };
    make().map_err(said("the job's folders could not be made"))
}

/// What every layer above an image has: places for what is mounted there, whatever the image has in their place.
fn layer(written: &Path, rootfs: &Path) -> Result<(), Error> {
    for place in [&MACHINE[1..], "proc", "sys", "dev", "run", "tmp", "opt/ml"] {
        fs::create_dir_all(written.join(place))?;
    }
    let is_folder = |name: &str| rootfs.join(name).symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder("var") {
        fs::create_dir_all(written.join("var/tmp"))?;
    }
    if is_folder("etc") {
        fs::create_dir_all(written.join("etc"))?;
        // As a container engine does: names are the machine's business.
        for name in ["etc/resolv.conf", "etc/hosts"] {
            if let Ok(text) = fs::read(Path::new("/").join(name)) {
                fs::write(written.join(name), text)?;
            }
        }
    }
    Ok(())
}

/// Makes what the program sees, and enters it. `in_user_namespace`: this process is root of a user namespace alone;
/// `own_processes`: it is the first of a namespace of processes.
pub(super) fn enter(
    contract: &HostContract,
    confinement: &Confinement,
    in_user_namespace: bool,
    own_processes: bool,
) -> Result<(), Failure> {
    let job = contract.root.canonicalize().map_err(said("the job's folder"))?;
    let root = job.join("view");
    fs::create_dir_all(&root).map_err(said("the job's view"))?;
    let kind = match &confinement.rootfs {
        None => Machine { root: &root, seen: Vec::new() }.make(confinement, &job).map(|()| Kind::Machine)?,
        Some(rootfs) => unpacked_image(&root, rootfs, &job, in_user_namespace)?,
    };
    turn_to(&root)?;
    let job = Path::new(MACHINE).join(job.strip_prefix("/").unwrap_or(&job));
    special_folders(&job, kind, own_processes, contract.limits.memory_bytes)?;
    umount2(MACHINE, MntFlags::MNT_DETACH).map_err(said("the machine's file system could not be let go of"))?;
    let _ = fs::remove_dir(MACHINE);
    if kind != Kind::Image {
        remount(Path::new("/"), true).map_err(said("the job's view could not be made read-only"))?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Folders of this machine.
    Machine,
    /// An image with a layer above it.
    Image,
    /// An image that can only be read.
    ReadOnlyImage,
}

/// Makes a folder the root of everything, and the machine's file system one below it.
fn turn_to(root: &Path) -> Result<(), Failure> {
    let machine = root.join(&MACHINE[1..]);
    let turn = || -> Result<(), Error> {
        fs::create_dir_all(&machine)?;
        pivot_root(root, &machine)?;
        Ok(chdir("/")?)
    };
    turn().map_err(said("the job's view could not be entered"))
}

/// A view of this machine that is being made.
struct Machine<'a> {
    root: &'a Path,
    /// What was decided of which path.
    seen: Vec<(PathBuf, bool)>,
}

/// What is to be done at a path; in this order where it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    Show,
    /// Puts this folder of the job in its place.
    Replace(&'static str),
    Hide,
}

impl Machine<'_> {
    fn make(mut self, confinement: &Confinement, job: &Path) -> Result<(), Failure> {
        memory(self.root, "mode=755,size=1m").map_err(said("a file system in memory could not be mounted"))?;
        self.system_folders()?;
        let mut wishes: Vec<(PathBuf, Wish)> = of_the_network().map(|path| (path, Wish::Show)).collect();
        wishes.extend(confinement.shown.iter().map(|path| (path.clone(), Wish::Show)));
        wishes.extend(confinement.hidden.iter().map(|path| (path.clone(), Wish::Hide)));
        wishes.extend(confinement.home.iter().map(|path| (path.clone(), Wish::Replace(HOME))));
        wishes.extend(TEMPORARY.iter().map(|path| (PathBuf::from(path), Wish::Replace(TEMPORARY_BELOW))));
        // What holds others comes before them.
        wishes.sort();
        wishes.dedup();
        let mut covers = Vec::new();
        for (path, wish) in wishes {
            let is_seen = self.is_seen(&path);
            match wish {
                Wish::Show if !is_seen => match self.show(&path) {
                    Ok(()) => self.seen.push((path, true)),
                    // There is no room for its place, which may be in a folder of the job: then it may be the program itself.
                    Err(error) if StorageFault::of_file(&error).is_some() => {
                        return Err(format!("{} could not be shown: {error}", path.display()));
                    }
                    // It went since it was named; or it is below what this user cannot see.
                    Err(error) => {
                        super::println(&format!("note: {} is not seen by the program: {error}", path.display()));
                    }
                },
                Wish::Replace(own) if !is_seen => {
                    let failed = || said(format!("{} could not be replaced", path.display()));
                    self.replace(&path, &job.join(own)).map_err(failed())?;
                    self.seen.push((path, false));
                }
                Wish::Hide => {
                    if is_seen && path.try_exists().unwrap_or(false) {
                        let failed = || said(format!("{} could not be hidden", path.display()));
                        covers.extend(self.hide(&path).map_err(failed())?);
                    }
                    self.seen.push((path, false));
                }
                Wish::Show | Wish::Replace(_) => {}
            }
        }
        for cover in covers {
            remount(&cover, true).map_err(said("what hides the service's data could not be made read-only"))?;
        }
        Ok(())
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether a path can be seen by what was done so far.
    fn is_seen(&self, path: &Path) -> bool {
        let above = self.seen.iter().filter(|(above, _)| path.starts_with(above));
        above
            .max_by_key(|(above, _)| above.components().count())
            .map_or_else(|| is_of_the_system(path), |&(_, seen)| seen)
    }

    fn system_folders(&self) -> Result<(), Failure> {
        for folder in SYSTEM_FOLDERS {
            let path = Path::new(folder);
            let failed = || said(format!("{folder} could not be shown"));
            // Place has to be made there for the job's folder.
            if folder == "/opt" {
                fs::create_dir(self.at(path)).map_err(failed())?;
                for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                    let path = entry.path();
                    if path != Path::new(JOB_FOLDER) {
                        same(&path, &self.at(&path)).map_err(said(format!("{} could not be shown", path.display())))?;
                    }
                }
                continue;
            }
            match path.symlink_metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                _ => same(path, &self.at(path)).map_err(failed())?,
            }
        }
        Ok(())
    }

    fn show(&self, path: &Path) -> Result<(), Error> {
        let at = self.at(path);
        self.refuse_links(&at)?;
        make_place(&at, path.metadata()?.is_dir())?;
        bind_read_only(path, &at)
    }

    /// Covers a file or folder with one that nobody may look into; returns what has to be made read-only when nothing more is
    /// shown within.
    fn hide(&self, path: &Path) -> Result<Option<PathBuf>, Error> {
        let at = self.at(path);
        if path.metadata().is_ok_and(|found| found.is_dir()) {
            memory(&at, "mode=111,size=64k")?;
            return Ok(Some(at));
        }
        let cover = self.root.join("cover");
        fs::OpenOptions::new().write(true).create_new(true).mode(0o000).open(&cover)?;
        bind_read_only(&cover, &at)?;
        fs::remove_file(&cover)?;
        Ok(None)
    }

    fn replace(&self, path: &Path, own: &Path) -> Result<(), Error> {
        let at = self.at(path);
        self.refuse_links(&at)?;
        fs::create_dir_all(&at)?;
        bind(own, &at)
    }

    /// A program that ran here before may have left links in its folders, which have to lead nowhere.
    fn refuse_links(&self, at: &Path) -> Result<(), Error> {
        let within = at.ancestors().take_while(|path| *path != self.root);
        let is_link = |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        match within.into_iter().find(|path| is_link(path)) {
            Some(_) => Err(Error::other("a link is in its place")),
            None => Ok(()),
        }
    }
}

/// A link where there is a link, else what is there; nothing of a program's own may be at the place.
fn same(path: &Path, at: &Path) -> Result<(), Error> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_symlink() {
        return symlink(path.read_link()?, at);
    }
    make_place(at, metadata.is_dir())?;
    bind_read_only(path, at)
}

/// An empty file or folder to mount something at.
fn make_place(at: &Path, is_folder: bool) -> Result<(), Error> {
    if is_folder {
        return fs::create_dir_all(at);
    }
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::OpenOptions::new().create(true).append(true).open(at).map(drop)
}

/// Mounts an unpacked image with a layer for what the program writes; where that is not permitted, without.
fn unpacked_image(root: &Path, rootfs: &Path, job: &Path, in_user_namespace: bool) -> Result<Kind, Failure> {
    let rootfs = rootfs.canonicalize().map_err(said(format!("images[].rootfs {}", rootfs.display())))?;
    if !rootfs.metadata().is_ok_and(|found| found.is_dir()) || rootfs.parent().is_none() {
        return Err(format!("images[].rootfs {} is no folder of an unpacked image", rootfs.display()));
    }
    let (written, work) = (job.join(WRITTEN), job.join(WORK));
    let overlay = || -> Result<(), Error> {
        let paths =
            [&rootfs, &written, &work].map(|path| path.to_str().filter(|path| !path.contains([',', ':', '\\'])));
        let [Some(lower), Some(upper), Some(work)] = paths else {
            return Err(Error::other("its path has a comma, a colon or a backslash"));
        };
        let mut options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        if in_user_namespace {
            options += ",userxattr";
        }
        mount(Some("overlay"), root, Some("overlay"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options.as_str()))?;
        Ok(())
    };
    let Err(error) = overlay() else { return Ok(Kind::Image) };
    super::println(&format!(
        "note: the files of the image cannot be changed: no layer can be put above them ({error})"
    ));
    memory(root, "mode=755,size=1m").map_err(said("a file system in memory could not be mounted"))?;
    let entries = fs::read_dir(&rootfs).map_err(said("images[].rootfs could not be read"))?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if ["proc", "dev", "sys", "tmp", "run", "opt"].iter().any(|own| name == *own) {
            continue;
        }
        same(&path, &root.join(&name)).map_err(said(format!("{} could not be shown", path.display())))?;
    }
    for entry in fs::read_dir(rootfs.join("opt")).into_iter().flatten().flatten() {
        let (path, at) = (entry.path(), root.join("opt").join(entry.file_name()));
        if entry.file_name() != "ml" && !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            same(&path, &at).map_err(said(format!("{} could not be shown", path.display())))?;
        }
    }
    Ok(Kind::ReadOnlyImage)
}

/// The folders of a view that are no files of the machine or the image. All paths are of the view by now, whatever links an
/// image has.
fn special_folders(job: &Path, kind: Kind, own_processes: bool, memory_bytes: Option<u64>) -> Result<(), Failure> {
    let failed = |path: &str| said(format!("{path} could not be made"));
    let machine = Path::new(MACHINE);
    fs::create_dir_all("/proc").map_err(failed("/proc"))?;
    if own_processes {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING).map_err(said("/proc could not be mounted"))?;
    } else {
        bind(&machine.join("proc"), Path::new("/proc")).map_err(failed("/proc"))?;
    }
    if kind != Kind::Machine {
        fs::create_dir_all("/sys").map_err(failed("/sys"))?;
        bind_read_only(&machine.join("sys"), Path::new("/sys")).map_err(failed("/sys"))?;
    }
    devices(machine, memory_bytes).map_err(failed("/dev"))?;
    for path in TEMPORARY.into_iter().filter(|_| kind != Kind::Machine) {
        let own = job.join(TEMPORARY_BELOW);
        let made = fs::create_dir_all(path).and_then(|()| bind(&own, Path::new(path)));
        // An image that can only be read may have no place for the other.
        if path == TEMPORARY[0] || kind != Kind::ReadOnlyImage {
            made.map_err(failed(path))?;
        }
    }
    fs::create_dir_all("/run").map_err(failed("/run"))?;
    if kind == Kind::Machine {
        symlink("/run", "/var/run").map_err(failed("/var/run"))?;
    } else {
        memory(Path::new("/run"), "mode=1777,size=64m").map_err(failed("/run"))?;
    }
    fs::create_dir_all(JOB_FOLDER).map_err(failed(JOB_FOLDER))?;
    bind(&job.join("opt/ml"), Path::new(JOB_FOLDER)).map_err(failed(JOB_FOLDER))
}

fn devices(machine: &Path, memory_bytes: Option<u64>) -> Result<(), Error> {
    let folder = Path::new("/dev");
    fs::create_dir_all(folder)?;
    // Not `memory`: what is a device here has to be one.
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755,size=64k"))?;
    let cards = (0..16).map(|number| format!("nvidia{number}"));
    for name in DEVICES.iter().map(|&name| name.to_owned()).chain(cards) {
        let (from, at) = (machine.join("dev").join(&name), folder.join(&name));
        if let Ok(metadata) = from.metadata() {
            make_place(&at, metadata.is_dir())?;
            bind(&from, &at)?;
        }
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, folder.join(name))?;
    }
    fs::create_dir(folder.join("pts"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    // A program without a terminal seldom needs one.
    let _ = mount(Some("devpts"), "/dev/pts", Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=620"));
    fs::DirBuilder::new().mode(0o1777).create(folder.join("shm"))?;
    let bytes = memory_bytes.map_or(SHARED_MEMORY, |bytes| bytes / 2);
    memory(&folder.join("shm"), &format!("mode=1777,size={bytes}"))?;
    remount(folder, true)
}
