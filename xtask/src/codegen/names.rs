//! Names of the models as names of Rust.

/// `DataCaptureConfig` as `data_capture_config`: a word begins at a capital after a small letter or a figure, and at the
/// last of several capitals (`OKActions` as `ok_actions`, `S3Uri` as `s3_uri`).
pub fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 8);
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            snake.push('_');
            continue;
        }
        let begins_word = character.is_ascii_uppercase() && index > 0 && {
            let before = characters[index - 1];
            let followed_by_small = characters.get(index + 1).is_some_and(char::is_ascii_lowercase);
            before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && followed_by_small)
        };
        if begins_word {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// A field's name, escaped where Rust has taken the word.
pub fn field_name(member: &str) -> String {
    let snake = snake_case(member);
    match snake.as_str() {
        "type" | "match" | "ref" | "move" | "use" | "where" | "final" | "virtual" | "as" | "in" => format!("r#{snake}"),
        _ => snake,
    }
}

/// `InService` stays, `INSUFFICIENT_DATA` becomes `InsufficientData`, `ml.eia1.medium` becomes `MlEia1Medium`.
pub fn variant_name(value: &str) -> String {
    let words = value.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.map(capitalised).collect();
    // The two that Rust does not take as they are.
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("N{name}")
    } else if name == "Self" {
        "SelfValue".to_owned()
    } else {
        name
    }
}

/// A shape's name as that of a type: some services begin theirs with a small letter.
pub fn type_name(shape: &str) -> String {
    let mut characters = shape.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

fn capitalised(word: &str) -> String {
    let loud = !word.contains(|character: char| character.is_ascii_lowercase());
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters.map(|rest| if loud { rest.to_ascii_lowercase() } else { rest })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields() {
        for (member, field) in [
            ("ProcessingJobName", "processing_job_name"),
            ("S3Uri", "s3_uri"),
            ("DestinationS3Uri", "destination_s3_uri"),
            ("VolumeSizeInGB", "volume_size_in_gb"),
            ("EnableSSMAccess", "enable_ssm_access"),
            ("OKActions", "ok_actions"),
            ("AWSAccountId", "aws_account_id"),
            ("ETag", "e_tag"),
            ("logGroupName", "log_group_name"),
        ] {
            assert_eq!(field_name(member), field);
        }
    }

    #[test]
    fn values_become_variants() {
        for (value, variant) in [
            ("InService", "InService"),
            ("INSUFFICIENT_DATA", "InsufficientData"),
            ("OK", "Ok"),
            ("ml.eia1.medium", "MlEia1Medium"),
            ("Bytes/Second", "BytesSecond"),
            ("AES256", "Aes256"),
            ("SELF", "SelfValue"),
        ] {
            assert_eq!(variant_name(value), variant);
        }
    }
}
