//! Tags of every resource.

use watchkeeper_aws::Error;
use watchkeeper_aws::generated::sagemaker::Tag;

/// The most tags of a resource.
const MOST: usize = 50;

/// The tags of a create request, each key once.
pub fn of_request(tags: Option<Vec<Tag>>) -> Result<Vec<Tag>, Error> {
    let tags = tags.unwrap_or_default();
    for (index, tag) in tags.iter().enumerate() {
        if tags[..index].iter().any(|other| other.key == tag.key) {
            return Err(Error::validation(format!("Duplicate tag keys found: {}", tag.key)));
        }
        refuse_reserved(&tag.key)?;
    }
    Ok(tags)
}

/// The tags after some were added: a key that is there gets the new value.
pub fn added(present: &[Tag], new: Vec<Tag>) -> Result<Vec<Tag>, Error> {
    let mut tags = present.to_vec();
    for tag in of_request(Some(new))? {
        match tags.iter_mut().find(|other| other.key == tag.key) {
            Some(other) => other.value = tag.value,
            None => tags.push(tag),
        }
    }
    if tags.len() > MOST {
        return Err(Error::validation(format!(
            "The resource would have {} tags, and a resource has at most {MOST}",
            tags.len()
        )));
    }
    Ok(tags)
}

/// The tags without those of some keys; keys that are not there do no harm.
pub fn removed(present: &[Tag], keys: &[String]) -> Vec<Tag> {
    present.iter().filter(|tag| !keys.contains(&tag.key)).cloned().collect()
}

/// The error for an ARN that no resource has.
pub fn unknown_resource(arn: &str) -> Error {
    Error::validation(format!("Could not find resource with ARN: {arn}"))
}

fn refuse_reserved(key: &str) -> Result<(), Error> {
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(Error::validation(format!("The tag key {key} begins with aws:, which is reserved")));
    }
    Ok(())
}
