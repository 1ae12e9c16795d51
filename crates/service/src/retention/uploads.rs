//! Uploads that nobody completed.

use jiff::{SignedDuration, Timestamp};
use watchkeeper_store::Error as StoreError;
use watchkeeper_store::objects::{ListUploads, MAX_PART_NUMBER, UploadInfo};

use super::Pace;
use crate::Context;
use crate::resources::Error;

/// How long nothing may have come for an upload: what people set in S3's rule for abandoned ones.
const ABANDONED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Uploads that are looked at in one step.
const PAGE: usize = 100;

/// Ends uploads for which nothing has come for a week.
pub(super) async fn sweep(context: &Context, pace: &mut Pace) -> Result<u64, Error> {
    let before = context.now().saturating_sub(ABANDONED).unwrap_or(Timestamp::MIN);
    let mut ended = 0;
    for bucket in context.objects.buckets().await? {
        let mut list = ListUploads { bucket: bucket.name, prefix: String::new(), after: None, limit: PAGE };
        loop {
            let page = match context.objects.list_uploads(&list).await {
                Ok(page) => page,
                Err(StoreError::NoSuchBucket(_)) => break,
                Err(error) => return Err(error.into()),
            };
            list.after = page.uploads.last().map(|last| (last.key.clone(), Some(last.upload.clone())));
            for upload in page.uploads.into_iter().filter(|upload| upload.initiated < before) {
                ended += end(context, &list.bucket, &upload, before).await?;
            }
            if !page.truncated {
                break;
            }
            pace.rest().await;
        }
    }
    Ok(ended)
}

/// Ends one upload, unless a part of it is young; 1 where it was ended.
async fn end(context: &Context, bucket: &str, upload: &UploadInfo, before: Timestamp) -> Result<u64, Error> {
    let UploadInfo { key, upload, .. } = upload;
    let ended = async {
        let all = context.objects.list_parts(bucket, key, upload, 0, MAX_PART_NUMBER as usize).await?;
        if all.parts.iter().any(|part| part.modified >= before) {
            return Ok(0);
        }
        context.objects.abort_upload(bucket, key, upload).await.map(|()| 1)
    };
    match ended.await {
        // Somebody has ended it.
        Err(StoreError::NoSuchUpload(_) | StoreError::NoSuchBucket(_)) => Ok(0),
        result => Ok(result?),
    }
}
