//! Labels of resources.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::session::typed;
use crate::{Result, Session};

/// A label of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// What it labels.
    pub key: String,
    /// The label.
    pub value: String,
}

impl Tag {
    /// A label.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// How many tags a page has at most, as Python asks for it.
const PAGE: u32 = 50;

/// The tags of a resource, without those of AWS, which nobody else can give.
pub(crate) async fn tags_of(session: &Session, resource: &str, arn: &str) -> Result<Vec<Tag>> {
    const LIST: &str = "ListTags";
    let mut tags: Vec<Tag> = Vec::new();
    let mut input = json!({ "ResourceArn": arn, "MaxResults": PAGE });
    loop {
        let mut page = session.sagemaker(LIST, resource, &input).await?;
        let found = page.get_mut("Tags").map_or_else(|| json!([]), Value::take);
        tags.extend(typed::<Vec<Tag>>(LIST, resource, found)?);
        match page["NextToken"].as_str() {
            Some(token) if !token.is_empty() => input["NextToken"] = token.into(),
            _ => break,
        }
    }
    tags.retain(|tag| !tag.key.contains("aws:"));
    Ok(tags)
}
