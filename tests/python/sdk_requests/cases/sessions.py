"""`Session`: buckets, files and roles."""

from cases.building import KEY, calls, case, step
from exchanges import Json
from services import DEFAULT_BUCKET

PREFIXED = {"default_bucket_prefix": "team/risk"}


def buckets() -> list[Json]:
    asked = step("session.default_bucket")
    twice = [asked, asked]
    made = [
        case("a bucket that the session names", twice, session={}),
        case("a bucket that the session names and makes", twice, given={"buckets": ["data"]}, session={}),
        case("a bucket that the session names, with a prefix", twice, session=PREFIXED),
        case("a bucket by its name", twice),
        case("a bucket by its name, with a prefix", twice, session={"default_bucket": "data"} | PREFIXED),
        case("a bucket by its name that is made", twice, session={"default_bucket": "new"}),
    ]
    forbidden = {"failures": {"HeadBucket": [["403", "Forbidden", 403]]}}
    made.append(case("a bucket of somebody else", [asked], given={"buckets": ["data"]} | forbidden, session={}))
    gone = {"buckets": ["data"], "failures": {"CreateBucket": [["BucketAlreadyExists", "The name is taken", 409]]}}
    made.append(case("a bucket that cannot be made", [asked], given=gone, session={}))
    made.append(
        case("a bucket in a missing one, with a prefix", [asked], given={"buckets": ["data"]}, session=PREFIXED)
    )
    return made


def objects() -> list[Json]:
    made = []
    upload: dict[str, Json] = {"local_path": {"$file": "train.csv"}, "desired_s3_uri": "s3://data/uploads"}
    for variant, arguments in calls(upload, {"kms_key": KEY}):
        made.append(case(f"S3Uploader.upload{variant}", [step("S3Uploader.upload", arguments)]))
        folder = arguments | {"local_path": {"$file": "folder"}}
        made.append(case(f"S3Uploader.upload{variant}, a folder", [step("S3Uploader.upload", folder)]))
        large = arguments | {"local_path": {"$file": "large.csv"}}
        made.append(case(f"S3Uploader.upload{variant}, a large file", [step("S3Uploader.upload", large)]))
    refused = {"failures": {"CompleteMultipartUpload": [["InvalidPart", "One of the parts could not be found.", 400]]}}
    large = step("S3Uploader.upload", upload | {"local_path": {"$file": "large.csv"}})
    made.append(case("S3Uploader.upload, a large file that is refused", [large], given=refused))
    string: dict[str, Json] = {"body": '{"a": "ü"}', "desired_s3_uri": "s3://data/texts/odd key+ü=1.json"}
    for variant, arguments in calls(string, {"kms_key": KEY}):
        made.append(
            case(
                f"S3Uploader.upload_string_as_file_body{variant}",
                [step("S3Uploader.upload_string_as_file_body", arguments)],
            )
        )
    there = {"objects": {f"s3://data/listed/{number}.json": f"{number}" for number in range(3)}, "page": 2}
    made.append(
        case(
            "S3Downloader.read_file",
            [step("S3Downloader.read_file", {"s3_uri": "s3://data/listed/1.json"})],
            given=there,
        )
    )
    made.append(
        case("S3Downloader.read_file, missing", [step("S3Downloader.read_file", {"s3_uri": "s3://data/none.json"})])
    )
    made.append(case("S3Downloader.list", [step("S3Downloader.list", {"s3_uri": "s3://data/listed"})], given=there))
    made.append(case("S3Downloader.list, none", [step("S3Downloader.list", {"s3_uri": "s3://data/none"})], given=there))
    download = {"s3_uri": "s3://data/listed", "local_path": {"$file": "downloads"}}
    made.append(case("S3Downloader.download", [step("S3Downloader.download", download)], given=there))
    one = download | {"s3_uri": "s3://data/listed/2.json"}
    made.append(case("S3Downloader.download, one object", [step("S3Downloader.download", one)], given=there))
    own = {"objects": {f"s3://{DEFAULT_BUCKET}/a.json": "1"}}
    steps = [
        step("session.default_bucket"),
        step("S3Downloader.read_file", {"s3_uri": f"s3://{DEFAULT_BUCKET}/a.json"}),
    ]
    return [*made, case("a file of the bucket that the session named", steps, given=own, session={})]


def roles() -> list[Json]:
    arn = "arn:aws:iam::123456789012:role/monitoring"
    refused = {"failures": {"GetRole": [["NoSuchEntity", "The role cannot be found.", 404]]}}
    return [
        case("an ARN", [step("session.expand_role", {"role": arn})]),
        case("a name", [step("session.expand_role", {"role": "monitoring"})]),
        case("a name that is not there", [step("session.expand_role", {"role": "monitoring"})], given=refused),
    ]


SUITES = {"session.buckets": buckets, "session.objects": objects, "session.roles": roles}
