//! What data there is: bounded listings of folders by hour.
//!
//! A partitioned folder has objects at `YYYY/MM/DD/HH/…` below it, so that the order of their keys is the order of their
//! hours. A window costs one page for each thousand objects in it, and none for the rest of the folder.

use std::collections::BTreeMap;

use jiff::Timestamp;
use watchkeeper_aws::Time;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{ListObjects, Listing, ObjectInfo, Objects};

use crate::control::execution::{Looked, Window};
use crate::control::execution_plan::{CaptureHour, Manifest, hour_path, hours};
use crate::control::merge::{Labels, fingerprint_of_object, fingerprint_of_put};

/// Objects on a page.
const PAGE: usize = 1000;
/// The most pages that are read of one hour: what is beyond is there, but not counted.
const MOST_PAGES_OF_AN_HOUR: usize = 10;
/// The most pages that are read of a window.
const MOST_PAGES: usize = 2000;
/// All pages of an hour.
const ALL: usize = usize::MAX;
/// The most variants of an endpoint that are looked at.
const MOST_VARIANTS: usize = 100;
/// The most listings that a search for the newest object before a window makes.
const MOST_LISTINGS: usize = 60;
/// The most places that a record of what was looked for names.
const MOST_PLACES: usize = 24;
/// The most manifests of a window.
const MOST_MANIFESTS: usize = 1000;

/// What was found in a window.
pub(crate) struct Found<T> {
    /// The places with data.
    pub(crate) places: Vec<T>,
    /// The record for "why didn't it run".
    pub(crate) looked: Looked,
}

/// What a merge wrote.
#[derive(Default)]
pub(crate) struct MergedHours {
    /// The hours, each with the variant, where there are any.
    pub(crate) places: Vec<(String, Timestamp)>,
    /// Of keys and content.
    pub(crate) fingerprint: u64,
    /// Whether something of earlier merges is left in the hours, which this one has not replaced.
    pub(crate) has_left: bool,
}

/// The hours of the window in which the endpoint captured something.
pub(crate) async fn captures(
    objects: &dyn Objects,
    destination: &S3Uri,
    endpoint: &str,
    window: Window,
) -> Result<Found<CaptureHour>, Error> {
    let folder = Folder::below(destination, endpoint);
    let variants = folder.subfolders(objects).await?;
    let mut looked = Looked::new("capture");
    let mut places = Vec::new();
    for variant in &variants {
        let partitioned = folder.subfolder(variant);
        for hour in partitioned.hours_with_data(objects, window).await? {
            looked.objects += hour.objects;
            looked.bytes += hour.bytes;
            places.push(CaptureHour { variant: variant.clone(), hour: hour.hour });
        }
    }
    let names = if variants.is_empty() { vec!["*".to_owned()] } else { variants.clone() };
    looked.places = described(&names.iter().map(|variant| folder.subfolder(variant)).collect::<Vec<_>>(), window);
    if places.is_empty() {
        let folders = variants.iter().map(|variant| folder.subfolder(variant)).collect::<Vec<_>>();
        (looked.nearest_before, looked.nearest_after) = nearest(objects, &folders, window).await?;
    }
    Ok(Found { places, looked })
}

/// The manifests in the window's hours below a folder of a capture of batch transform jobs.
pub(crate) async fn manifests(
    objects: &dyn Objects,
    destination: &S3Uri,
    side: &str,
    window: Window,
) -> Result<Found<Manifest>, Error> {
    let folder = Folder::below(destination, side);
    let mut looked = Looked::new("capture of batch transform jobs");
    let mut places = Vec::new();
    folder
        .scan(objects, window, MOST_PAGES_OF_AN_HOUR, |hour, object| {
            looked.objects += 1;
            looked.bytes += object.size;
            if places.len() < MOST_MANIFESTS {
                let uri = S3Uri { bucket: folder.bucket.clone(), key: object.key.clone() };
                places.push(Manifest { hour, uri });
            }
        })
        .await?;
    looked.places = described(std::slice::from_ref(&folder), window);
    if places.is_empty() {
        (looked.nearest_before, looked.nearest_after) = nearest(objects, &[folder], window).await?;
    }
    Ok(Found { places, looked })
}

/// The hours with ground truth, and all the objects that hold it.
pub(crate) async fn ground_truth(
    objects: &dyn Objects,
    address: &S3Uri,
    hours: Window,
) -> Result<(Found<Timestamp>, Labels), Error> {
    let folder = Folder::at(address);
    let mut looked = Looked::new("ground truth");
    let (mut places, mut labels) = (Vec::new(), Labels::default());
    folder
        .scan(objects, hours, ALL, |hour, object| {
            if places.last() != Some(&hour) {
                places.push(hour);
            }
            looked.objects += 1;
            looked.bytes += object.size;
            labels.add(&object.key, &object.etag, Time(object.modified));
        })
        .await?;
    looked.places = described(std::slice::from_ref(&folder), hours);
    if places.is_empty() {
        (looked.nearest_before, looked.nearest_after) = nearest(objects, &[folder], hours).await?;
    }
    Ok((Found { places, looked }, labels))
}

/// The objects that hold ground truth, by the hours of their folders.
pub(crate) async fn ground_truth_by_hour(
    objects: &dyn Objects,
    address: &S3Uri,
    hours: Window,
) -> Result<BTreeMap<Timestamp, Labels>, Error> {
    let mut labels: BTreeMap<Timestamp, Labels> = BTreeMap::new();
    let count = |hour, object: &ObjectInfo| {
        labels.entry(hour).or_default().add(&object.key, &object.etag, Time(object.modified));
    };
    Folder::at(address).scan(objects, hours, ALL, count).await?;
    Ok(labels)
}

/// What a merge wrote to a folder, beside what earlier ones have left.
pub(crate) async fn merged(
    objects: &dyn Objects,
    address: &S3Uri,
    has_variants: bool,
    hours: Window,
    left: &[u64],
) -> Result<MergedHours, Error> {
    let mut merged = MergedHours::default();
    each_merged(objects, address, has_variants, hours, |variant, hour, object| {
        if left.contains(&put(object)) {
            merged.has_left = true;
            return;
        }
        if merged.places.last().is_none_or(|(last, latest)| (last.as_str(), *latest) != (variant, hour)) {
            merged.places.push((variant.to_owned(), hour));
        }
        merged.fingerprint = merged.fingerprint.wrapping_add(fingerprint_of_object(&object.key, &object.etag));
    })
    .await?;
    Ok(merged)
}

/// What merges have left in the hours of a folder.
pub(crate) async fn left_merged(
    objects: &dyn Objects,
    address: &S3Uri,
    has_variants: bool,
    hours: Window,
) -> Result<Vec<u64>, Error> {
    let mut left = Vec::new();
    each_merged(objects, address, has_variants, hours, |_, _, object| left.push(put(object))).await?;
    Ok(left)
}

/// An object as it was put at one moment.
pub(crate) fn put(object: &ObjectInfo) -> u64 {
    fingerprint_of_put(&object.key, &object.etag, Time(object.modified))
}

/// Hands out the objects in the hours of a folder, each with the variant, where there are any.
async fn each_merged(
    objects: &dyn Objects,
    address: &S3Uri,
    has_variants: bool,
    hours: Window,
    mut found: impl FnMut(&str, Timestamp, &ObjectInfo),
) -> Result<(), Error> {
    let folder = Folder::at(address);
    let variants = if has_variants { folder.subfolders(objects).await? } else { vec![String::new()] };
    for variant in variants {
        let partitioned = if has_variants { folder.subfolder(&variant) } else { Folder::at(address) };
        partitioned.scan(objects, hours, ALL, |hour, object| found(&variant, hour, object)).await?;
    }
    Ok(())
}

/// Whether there is anything at an address, taken as a prefix the way jobs take it.
pub(crate) async fn file(objects: &dyn Objects, what: &str, address: &S3Uri) -> Result<Looked, Error> {
    let folder = Folder { bucket: address.bucket.clone(), prefix: String::new() };
    let page = folder.list(objects, &address.key, None, None, 10).await?;
    let mut looked = Looked::new(what);
    looked.places = vec![address.to_string()];
    looked.objects = page.objects.len() as u64;
    looked.bytes = page.objects.iter().map(|object| object.size).sum();
    Ok(looked)
}

impl Looked {
    /// A record of nothing yet.
    fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            places: Vec::new(),
            objects: 0,
            bytes: 0,
            nearest_before: None,
            nearest_after: None,
        }
    }
}

/// The folders of the window's hours: the first, how many there are between, and the last.
fn described(folders: &[Folder], window: Window) -> Vec<String> {
    let place = |folder: &Folder, hour: Timestamp| format!("{folder}{}", hour_path(hour));
    let all = folders.len() * hours(window).count();
    let places = folders.iter().flat_map(|folder| hours(window).map(move |hour| place(folder, hour)));
    if all <= MOST_PLACES {
        return places.collect();
    }
    let mut described: Vec<String> = places.take(MOST_PLACES - 2).collect();
    described.push(format!("… {} more …", all - (MOST_PLACES - 1)));
    described.extend(folders.last().zip(hours(window).last()).map(|(folder, hour)| place(folder, hour)));
    described
}

/// Addresses of the newest object before the window and of the oldest after it, of several partitioned folders.
async fn nearest(
    objects: &dyn Objects,
    folders: &[Folder],
    window: Window,
) -> Result<(Option<String>, Option<String>), Error> {
    // Path below the folder, which sorts by time, and address.
    type Nearest = Option<(String, String)>;
    let (mut before, mut after): (Nearest, Nearest) = (None, None);
    for folder in folders {
        let relative = |key: &String| (key[folder.prefix.len()..].to_owned(), format!("s3://{}/{key}", folder.bucket));
        let newest = folder.newest_before(objects, window).await?;
        before = before.max(newest.as_ref().map(relative));
        let oldest = folder.oldest_after(objects, window).await?;
        after = match (after, oldest.as_ref().map(relative)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok((before.map(|(_, address)| address), after.map(|(_, address)| address)))
}

/// A folder of a bucket; its prefix is empty or ends in a slash.
struct Folder {
    bucket: String,
    prefix: String,
}

/// What is in an hour.
struct HourWithData {
    hour: Timestamp,
    objects: u64,
    bytes: u64,
}

impl std::fmt::Display for Folder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl Folder {
    /// A destination that ends in a slash has its data behind two, as on the real service.
    fn below(address: &S3Uri, name: &str) -> Self {
        Self { bucket: address.bucket.clone(), prefix: format!("{}/", address.join(&format!("/{name}")).key) }
    }

    /// The folder that an address names, with or without its slash.
    fn at(address: &S3Uri) -> Self {
        let S3Uri { bucket, key } = address.clone();
        let prefix = if key.is_empty() || key.ends_with('/') { key } else { key + "/" };
        Self { bucket, prefix }
    }

    fn subfolder(&self, name: &str) -> Self {
        Self { bucket: self.bucket.clone(), prefix: format!("{}{name}/", self.prefix) }
    }

    /// A page; a bucket that is not there has nothing in it.
    async fn list(
        &self,
        objects: &dyn Objects,
        prefix: &str,
        delimiter: Option<&str>,
        start_after: Option<String>,
        limit: usize,
    ) -> Result<Listing, Error> {
        let request = ListObjects {
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            start_after,
            limit,
        };
        match objects.list(&request).await {
            Err(Error::NoSuchBucket(_)) => Ok(Listing::default()),
            result => result,
        }
    }

    async fn subfolders(&self, objects: &dyn Objects) -> Result<Vec<String>, Error> {
        let page = self.list(objects, &self.prefix, Some("/"), None, MOST_VARIANTS).await?;
        let name = |prefix: &String| prefix[self.prefix.len()..].trim_end_matches('/').to_owned();
        Ok(page.prefixes.iter().map(name).filter(|name| !name.is_empty()).collect())
    }

    async fn hours_with_data(&self, objects: &dyn Objects, window: Window) -> Result<Vec<HourWithData>, Error> {
        let mut found: Vec<HourWithData> = Vec::new();
        self.scan(objects, window, MOST_PAGES_OF_AN_HOUR, |hour, object| {
            if found.last().is_none_or(|last| last.hour != hour) {
                found.push(HourWithData { hour, objects: 0, bytes: 0 });
            }
            if let Some(last) = found.last_mut() {
                last.objects += 1;
                last.bytes += object.size;
            }
        })
        .await?;
        Ok(found)
    }

    /// Hands out the data in the window's hours in the order of its keys, of each hour so many pages; all of it where that is
    /// [`ALL`].
    async fn scan(
        &self,
        objects: &dyn Objects,
        window: Window,
        most_pages_of_an_hour: usize,
        mut found: impl FnMut(Timestamp, &ObjectInfo),
    ) -> Result<(), Error> {
        let (first, end) = hour_bounds(window);
        let mut after = format!("{}{}", self.prefix, hour_path(first));
        let mut latest = None;
        let mut pages_of_latest = 0;
        // Without the last hours of all of it a merge would go wrong unnoticed. Its job lists the same.
        let most_pages = if most_pages_of_an_hour == ALL { usize::MAX } else { MOST_PAGES };
        for _ in 0..most_pages {
            let page = self.list(objects, &self.prefix, None, Some(after), PAGE).await?;
            for object in &page.objects {
                let Some(hour) = self.hour_of(&object.key) else { continue };
                if hour >= end {
                    return Ok(());
                }
                if is_data(object) {
                    if latest.replace(hour) != Some(hour) {
                        pages_of_latest = 0;
                    }
                    found(hour, object);
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            pages_of_latest += 1;
            after = match latest {
                // A zero is the character after the slash: what follows is the next hour. Never back, where the keys that
                // filled the pages are of no hour.
                Some(hour) if pages_of_latest >= most_pages_of_an_hour => {
                    format!("{}{}0", self.prefix, hour_path(hour)).max(next)
                }
                _ => next,
            };
        }
        Ok(())
    }

    async fn oldest_after(&self, objects: &dyn Objects, window: Window) -> Result<Option<String>, Error> {
        let (_, end) = hour_bounds(window);
        let after = format!("{}{}", self.prefix, hour_path(end));
        let page = self.list(objects, &self.prefix, None, Some(after), 10).await?;
        let is_wanted = |object: &&ObjectInfo| is_data(object) && self.hour_of(&object.key).is_some();
        Ok(page.objects.iter().find(is_wanted).map(|object| object.key.clone()))
    }

    /// Goes down from the latest year to the latest hour, back up where a folder has nothing before the window.
    async fn newest_before(&self, objects: &dyn Objects, window: Window) -> Result<Option<String>, Error> {
        const DEPTH_OF_HOURS: usize = 4;
        let bound = hour_path(hour_bounds(window).0);
        let mut pending = vec![(0, self.prefix.clone())];
        let mut listings = 0;
        while let Some((depth, prefix)) = pending.pop() {
            listings += 1;
            if listings > MOST_LISTINGS {
                break;
            }
            if depth == DEPTH_OF_HOURS {
                if let Some(key) = self.newest_in(objects, &prefix).await? {
                    return Ok(Some(key));
                }
                continue;
            }
            let page = self.list(objects, &prefix, Some("/"), None, PAGE).await?;
            let is_before = |candidate: &&String| {
                let path = candidate[self.prefix.len()..].trim_end_matches('/');
                let is_partition = is_partition(path);
                let bound = &bound[..path.len().min(bound.len())];
                is_partition && if depth + 1 == DEPTH_OF_HOURS { path < bound } else { path <= bound }
            };
            // The last is taken first.
            pending.extend(page.prefixes.iter().filter(is_before).map(|prefix| (depth + 1, prefix.clone())));
        }
        Ok(None)
    }

    async fn newest_in(&self, objects: &dyn Objects, prefix: &str) -> Result<Option<String>, Error> {
        let mut newest = None;
        let mut after = None;
        for _ in 0..MOST_PAGES_OF_AN_HOUR {
            let page = self.list(objects, prefix, None, after, PAGE).await?;
            let last = page.objects.iter().rfind(|object| is_data(object));
            newest = last.map(|object| object.key.clone()).or(newest);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(newest)
    }

    /// The hour of the folder that an object is in; None for objects that are elsewhere.
    fn hour_of(&self, key: &str) -> Option<Timestamp> {
        hour_in(key.strip_prefix(&self.prefix)?).map(|(hour, _)| hour)
    }
}

/// The hour that a path begins with, as a folder `YYYY/MM/DD/HH`, and what is behind the folder.
pub(crate) fn hour_in(path: &str) -> Option<(Timestamp, &str)> {
    let (hour, rest) = path.split_at_checked("2021/05/18/01".len())?;
    let rest = rest.strip_prefix('/').filter(|_| is_partition(hour))?;
    let parsed = jiff::fmt::strtime::parse("%Y/%m/%d/%H/%M", format!("{hour}/00")).ok()?.to_datetime().ok()?;
    Some((parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(), rest))
}

/// The first hour that a window touches, and the first after it that it does not.
fn hour_bounds(window: Window) -> (Timestamp, Timestamp) {
    let first = hours(window).next().unwrap_or(window.start.0);
    let seconds = (window.end.0.as_second() + 3599).div_euclid(3600) * 3600;
    (first, Timestamp::from_second(seconds).unwrap_or(window.end.0))
}

/// Whether a path is the start of `YYYY/MM/DD/HH`.
fn is_partition(path: &str) -> bool {
    let is_part = |(index, part): (usize, &str)| {
        part.len() == if index == 0 { 4 } else { 2 } && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    path.split('/').enumerate().all(is_part)
}

/// Folder markers are no data.
fn is_data(object: &ObjectInfo) -> bool {
    !object.key.ends_with('/')
}
