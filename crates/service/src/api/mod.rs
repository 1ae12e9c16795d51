//! One file per AWS trait, S3's included, and the operators' interface: each calls what is below.

pub mod cloudwatch;
pub mod ecr;
pub mod iam;
pub mod kms;
pub mod logs;
pub mod operators;
pub mod s3;
pub mod sagemaker;
pub mod sts;

pub(crate) mod failure;
mod paging;
pub(crate) mod quota;
