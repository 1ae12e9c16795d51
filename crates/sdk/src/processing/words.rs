//! The words of processing jobs.

use crate::word::word;

word! {
    /// What the address of an input stands for.
    pub enum S3DataType {
        /// A list of objects, one that is read.
        ManifestFile = "ManifestFile",
        /// Every object below it.
        S3Prefix = "S3Prefix",
    }
}

word! {
    /// How a job gets its input.
    pub enum S3InputMode {
        /// Copied to its disk before it starts.
        File = "File",
        /// As a pipe.
        Pipe = "Pipe",
        /// As files that are fetched when they are opened.
        FastFile = "FastFile",
    }
}

word! {
    /// What each machine of a job gets of its input.
    pub enum S3DataDistributionType {
        /// All of it.
        FullyReplicated = "FullyReplicated",
        /// A share of the objects.
        ShardedByS3Key = "ShardedByS3Key",
    }
}

word! {
    /// How objects of an input are packed.
    pub enum S3CompressionType {
        /// Not at all.
        None = "None",
        /// With gzip, which is undone on the way; only with [`S3InputMode::Pipe`].
        Gzip = "Gzip",
    }
}

word! {
    /// When the output of a job is uploaded.
    pub enum S3UploadMode {
        /// While it is written.
        Continuous = "Continuous",
        /// When the job has ended.
        EndOfJob = "EndOfJob",
    }
}

word! {
    /// The state of a processing job.
    pub enum ProcessingJobStatus {
        /// It runs.
        InProgress = "InProgress",
        /// It ended well.
        Completed = "Completed",
        /// It ended badly; the description says why.
        Failed = "Failed",
        /// It was told to stop and has not yet.
        Stopping = "Stopping",
        /// It was stopped, or took too long.
        Stopped = "Stopped",
    }
}
