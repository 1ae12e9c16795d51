#![doc = include_str!("../docs/guide.md")]

#[doc = include_str!("../docs/inventory.md")]
pub mod inventory {}

#[doc = include_str!("../docs/differences.md")]
pub mod differences {}
