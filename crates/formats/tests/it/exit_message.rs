//! The exit message, in the words of the AWS analyzer.

use proptest::prelude::*;
use watchkeeper_formats::ExitMessage;

#[test]
fn words_of_the_analyzer() {
    let table = [
        (ExitMessage::Completed, "Completed: Job completed successfully with no violations."),
        (
            ExitMessage::CompletedWithViolations(3),
            "CompletedWithViolations: Job completed successfully with 3 violations.",
        ),
        (
            ExitMessage::CompletedWithViolations(1),
            "CompletedWithViolations: Job completed successfully with 1 violations.",
        ),
        (ExitMessage::Error("No data found in dataset_source.".to_owned()), "Error: No data found in dataset_source."),
        (ExitMessage::XaiCompleted, "Completed: SageMaker XAI Analyzer ran successfully"),
        (
            ExitMessage::ClientError("Unable to locate the facet.".to_owned()),
            "ClientError: Unable to locate the facet.",
        ),
    ];
    for (message, text) in table {
        assert_eq!(message.to_string(), text);
        assert_eq!(ExitMessage::parse(&format!("{text}\n")), Some(message));
    }
}

#[test]
fn anything_else_is_no_exit_message() {
    for text in ["", "Completed", "Failed: x", "completed: x", "CompletedWithViolations: many"] {
        assert_eq!(ExitMessage::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn reasons_and_counts_read_back(reason in "[!-~]([ -~\n]*[!-~])?", count in any::<u64>()) {
        let reasons = [ExitMessage::Error(reason.clone()), ExitMessage::ClientError(reason)];
        for message in reasons.into_iter().chain([ExitMessage::CompletedWithViolations(count)]) {
            prop_assert_eq!(ExitMessage::parse(&message.to_string()), Some(message));
        }
    }
}
