//! How much memory an instance type has.

const GIB: f64 = 1_073_741_824.0;

/// Families whose memory grows with their size: GiB of an `xlarge`.
const PER_EXTRA_LARGE: [(&str, f64); 25] = [
    ("c4", 7.5),
    ("c5", 8.0),
    ("c5d", 8.0),
    ("c6g", 8.0),
    ("c6i", 8.0),
    ("c7i", 8.0),
    ("g4dn", 16.0),
    ("g5", 16.0),
    ("g6", 16.0),
    ("inf1", 8.0),
    ("inf2", 16.0),
    ("m4", 16.0),
    ("m5", 16.0),
    ("m5d", 16.0),
    ("m6g", 16.0),
    ("m6i", 16.0),
    ("m7i", 16.0),
    ("p3", 30.5),
    ("r5", 32.0),
    ("r5d", 32.0),
    ("r6i", 32.0),
    ("r7i", 32.0),
    ("t2", 16.0),
    ("t3", 16.0),
    ("trn1", 16.0),
];

/// Bytes of memory of an instance type such as `ml.m5.xlarge`, by AWS's published tables; None for those it does not know:
/// then nothing limits the job but the machine.
pub(crate) fn memory_bytes(instance_type: &str) -> Option<u64> {
    let mut parts = instance_type.strip_prefix("ml.")?.split('.');
    let (family, size) = (parts.next()?, parts.next()?);
    let (_, per_extra_large) = PER_EXTRA_LARGE.iter().find(|(name, _)| *name == family)?;
    let extra_large = match size {
        "medium" => 0.25,
        "large" => 0.5,
        "xlarge" => 1.0,
        other => other.strip_suffix("xlarge")?.parse().ok()?,
    };
    Some((per_extra_large * extra_large * GIB) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GiB as AWS's pages of instance types have them.
    #[test]
    fn as_published() {
        for (instance_type, gib) in [
            ("ml.t3.medium", 4.0),
            ("ml.t3.large", 8.0),
            ("ml.t3.xlarge", 16.0),
            ("ml.t3.2xlarge", 32.0),
            ("ml.m5.large", 8.0),
            ("ml.m5.xlarge", 16.0),
            ("ml.m5.24xlarge", 384.0),
            ("ml.m4.16xlarge", 256.0),
            ("ml.c4.8xlarge", 60.0),
            ("ml.c5.9xlarge", 72.0),
            ("ml.c5.18xlarge", 144.0),
            ("ml.r5.12xlarge", 384.0),
            ("ml.p3.2xlarge", 61.0),
            ("ml.p3.16xlarge", 488.0),
            ("ml.g4dn.12xlarge", 192.0),
            ("ml.g5.48xlarge", 768.0),
        ] {
            assert_eq!(memory_bytes(instance_type), Some((gib * GIB) as u64), "{instance_type}");
        }
        for unknown in ["ml.x1.xlarge", "m5.xlarge", "ml.m5", "ml.m5.tiny", "ml.m5.-xlarge"] {
            assert_eq!(memory_bytes(unknown), None, "{unknown}");
        }
    }
}
