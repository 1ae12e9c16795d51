//! Everything that must be refused, and how that is said.

use proptest::prelude::*;
use watchkeeper_aws::signing::{Audience, Codes, Credentials, Secret, Session, SessionIssuer, scope_of, verify};

use super::{KEY, Request, SECRET, credentials, minutes_later, noon};

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

fn signed() -> Request {
    Request::unsigned().signed("sagemaker", &credentials())
}

fn presigned() -> Request {
    Request::unsigned().presigned("sagemaker", &credentials(), 60)
}

/// The code and text of the refusal, and that it is one.
fn refusal(request: &Request) -> (String, String) {
    let error = request.verify().unwrap_err();
    (error.code, error.message)
}

#[test]
fn codes_and_statuses_are_those_of_the_protocol() {
    let missing = Request::unsigned();
    let mut unreadable = signed();
    unreadable.set("authorization", "AWS4-HMAC-SHA256 Credential=x");
    let unknown = Request::unsigned()
        .signed("sagemaker", &Credentials { access_key_id: "AKIAOTHER".to_owned(), ..credentials() });
    let wrong = Request::unsigned()
        .signed("sagemaker", &Credentials { secret_access_key: "other".to_owned(), ..credentials() });
    for (request, now, json, query, status) in [
        (&missing, noon(), "MissingAuthenticationTokenException", "MissingAuthenticationToken", 403),
        (&unreadable, noon(), "IncompleteSignatureException", "IncompleteSignature", 400),
        (&unknown, noon(), "UnrecognizedClientException", "InvalidClientTokenId", 403),
        (&wrong, noon(), "InvalidSignatureException", "SignatureDoesNotMatch", 403),
        (&signed(), minutes_later(16), "InvalidSignatureException", "SignatureDoesNotMatch", 403),
        (&presigned(), minutes_later(2), "RequestExpired", "RequestExpired", 400),
    ] {
        let error = request.verify_as("sagemaker", Codes::Json, now).unwrap_err();
        assert_eq!((error.code.as_str(), error.status), (json, 400));
        let error = request.verify_as("sagemaker", Codes::Rest, now).unwrap_err();
        assert_eq!((error.code.as_str(), error.status), (json, 403));
        let error = request.verify_as("sagemaker", Codes::Query, now).unwrap_err();
        assert_eq!((error.code.as_str(), error.status), (query, status));
    }
    assert_eq!(unknown.verify().unwrap_err().message, "The security token included in the request is invalid.");
    assert_eq!(wrong.verify().unwrap_err().message, MISMATCH);
}

#[test]
fn clocks_may_be_a_quarter_of_an_hour_off() {
    for minutes in [-15, 0, 15] {
        assert!(signed().verify_as("sagemaker", Codes::Json, minutes_later(minutes)).is_ok(), "{minutes}");
    }
    let message = signed().verify_as("sagemaker", Codes::Json, minutes_later(16)).unwrap_err().message;
    assert_eq!(
        message,
        "Signature expired: 20260301T120000Z is now earlier than 20260301T120100Z (20260301T121600Z - 15 min.)"
    );
    let message = signed().verify_as("sagemaker", Codes::Json, minutes_later(-16)).unwrap_err().message;
    assert_eq!(
        message,
        "Signature not yet current: 20260301T120000Z is still later than 20260301T115900Z (20260301T114400Z + 15 min.)"
    );
}

#[test]
fn a_presigned_request_is_good_for_its_time() {
    let request = Request::unsigned().presigned("sagemaker", &credentials(), 3600);
    for (minutes, good) in [(-16, false), (-15, true), (0, true), (60, true), (61, false)] {
        assert_eq!(request.verify_as("sagemaker", Codes::Json, minutes_later(minutes)).is_ok(), good, "{minutes}");
    }
    let week = Request::unsigned().presigned("sagemaker", &credentials(), 604_800);
    assert!(week.verify_as("sagemaker", Codes::Json, minutes_later(7 * 24 * 60)).is_ok());
    for seconds in [0, 604_801, u32::MAX] {
        let request = Request::unsigned().presigned("sagemaker", &credentials(), seconds);
        assert_eq!(refusal(&request).0, "IncompleteSignatureException", "{seconds}");
    }
    // A week or not, the time a client names is under its signature.
    let mut longer = Request::unsigned().presigned("sagemaker", &credentials(), 60);
    longer.query = longer.query.replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert_eq!(refusal(&longer), ("InvalidSignatureException".to_owned(), MISMATCH.to_owned()));
}

#[test]
fn a_signature_is_for_one_service_and_any_region() {
    let error = signed().verify_as("sts", Codes::Query, noon()).unwrap_err();
    assert_eq!(error.message, "Credential should be scoped to correct service: 'sts'.");
    assert_eq!(signed().verify().unwrap().scope.region, "eu-central-1");
    // Another region in the scope is another signature.
    let mut moved = signed();
    let authorization = moved.header("authorization").replace("eu-central-1", "us-east-1");
    moved.set("authorization", &authorization);
    assert_eq!(refusal(&moved).1, MISMATCH);
    for region in ["<b>", "a:b", "a b", "\u{e4}"] {
        let mut nowhere = signed();
        let authorization = nowhere.header("authorization").replace("eu-central-1", region);
        nowhere.set("authorization", &authorization);
        assert_eq!(refusal(&nowhere).1, "Credential should be scoped to a valid region.", "{region}");
    }
}

#[test]
fn there_is_one_signature_and_one_moment() {
    for (name, value) in [
        ("authorization", signed().header("authorization").to_owned()),
        ("x-amz-date", "20260301T120000Z".to_owned()),
        ("x-amz-date", "20260301T120001Z".to_owned()),
        ("host", "example.com".to_owned()),
    ] {
        let mut twice = signed();
        twice.add(name, &value);
        assert_eq!(refusal(&twice).0, "IncompleteSignatureException", "{name}");
    }
    let mut both = presigned();
    both.headers = signed().headers;
    assert!(refusal(&both).1.contains("Only one signature"));
    let mut part = signed();
    part.query = "X-Amz-Signature=00".to_owned();
    assert!(refusal(&part).1.contains("Only one signature"));
    for parameter in [
        "X-Amz-Date=20260301T120000Z",
        "X-Amz-Signature=00",
        "X-Amz-%53ignature=00",
        "X-Amz-Expires=9",
        "X-Amz-Credential=x",
    ] {
        let mut twice = presigned();
        twice.query = format!("{}&{parameter}", twice.query);
        assert_eq!(refusal(&twice).0, "IncompleteSignatureException", "{parameter}");
    }
    let mut two_moments = presigned();
    two_moments.add("x-amz-date", "20260301T120001Z");
    assert!(refusal(&two_moments).1.contains("differ"));
}

#[test]
fn host_moment_and_aws_headers_are_under_the_signature() {
    for (removed, reason) in [("host;", "'Host'"), (";x-amz-target", "'x-amz-target'"), (";x-amz-date", "'X-Amz-Date'")]
    {
        let mut request = signed();
        let authorization = request.header("authorization").replace(removed, "");
        request.set("authorization", &authorization);
        let (code, message) = refusal(&request);
        assert_eq!(code, "InvalidSignatureException");
        assert!(message.contains(reason), "{removed}: {message}");
    }
    let mut added = signed();
    added.add("X-Amz-Extra", "1");
    assert!(refusal(&added).1.contains("'x-amz-extra' must be a 'SignedHeader'"));
    let mut redirected = signed();
    redirected.add("X-Amzn-SageMaker-Target-Variant", "another");
    assert!(refusal(&redirected).1.contains("'x-amzn-sagemaker-target-variant' must be a 'SignedHeader'"));
    // Headers that say nothing to a service may come along.
    let mut harmless = signed();
    harmless.add("user-agent", "Boto3/1.43");
    harmless.add("x-amzn-trace-id", "Root=1");
    harmless.add("connection", "keep-alive");
    assert!(harmless.verify().is_ok());
}

#[test]
fn signed_headers_are_in_order_each_once_and_there() {
    let order = "content-type;host;x-amz-date;x-amz-target";
    for other in [
        "host;content-type;x-amz-date;x-amz-target",
        "content-type;content-type;host;x-amz-date;x-amz-target",
        "Content-Type;host;x-amz-date;x-amz-target",
        ";content-type;host",
        "",
    ] {
        let mut request = signed();
        let authorization = request.header("authorization").replace(order, other);
        request.set("authorization", &authorization);
        assert_eq!(refusal(&request).0, "IncompleteSignatureException", "{other}");
    }
    let mut absent = signed();
    let authorization =
        absent.header("authorization").replace(order, "content-type;host;x-absent;x-amz-date;x-amz-target");
    absent.set("authorization", &authorization);
    assert_eq!(refusal(&absent).1, MISMATCH);
}

#[test]
fn a_broken_authorization_says_what_is_missing() {
    for (header, code, reason) in [
        ("", "IncompleteSignatureException", "Authorization header must be"),
        ("Bearer x", "IncompleteSignatureException", "Authorization header must be"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException", "Authorization header must be"),
        ("AWS4-HMAC-SHA256 nonsense", "IncompleteSignatureException", "Authorization header must be"),
        ("AWS4-HMAC-SHA256 Credential=a,Credential=b", "IncompleteSignatureException", "Authorization header must be"),
        (
            "AWS4-HMAC-SHA256 Credential=a",
            "IncompleteSignatureException",
            "requires 'Signature' parameter. Authorization header requires 'SignedHeaders'",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
            "IncompleteSignatureException",
            "5 slash-delimited elements",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260301/r/sagemaker/aws5_request, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
            "valid terminator: 'aws4_request'",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/2026/r/sagemaker/aws4_request, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
            "YYYYMMDD",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260302/r/sagemaker/aws4_request, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
            "'20260302' != '20260301', from '20260301T120000Z'",
        ),
    ] {
        let mut request = signed();
        request.set("authorization", header);
        let refused = refusal(&request);
        assert_eq!(refused.0, code, "{header}");
        assert!(refused.1.contains(reason), "{header}: {}", refused.1);
    }
    for date in [
        "",
        "yesterday",
        "20260301T126000Z",
        "20261301T120000Z",
        "+0260301T120000Z",
        "20260301 120000Z",
        "２０260301T12",
    ] {
        let mut request = signed();
        request.set("x-amz-date", date);
        assert!(refusal(&request).1.contains("requires existence of either"), "{date}");
    }
    let mut undated = signed();
    undated.remove("x-amz-date");
    assert!(refusal(&undated).1.contains("requires existence of either"));
}

#[test]
fn a_declared_hash_is_that_of_the_body() {
    for (declared, accepted) in
        [("UNSIGNED-PAYLOAD", false), ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", false), ("00", false)]
    {
        let mut request = Request::unsigned();
        request.add("x-amz-content-sha256", declared);
        let request = request.signed("sagemaker", &credentials());
        assert_eq!(request.verify().is_ok(), accepted, "{declared}");
    }
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; // sha256 of {}
    let mut request = Request::unsigned();
    request.body = b"{}".to_vec();
    request.add("x-amz-content-sha256", hash);
    let mut request = request.signed("sagemaker", &credentials());
    assert!(request.verify().unwrap().payload_signed);
    request.body = b"[]".to_vec();
    assert!(refusal(&request).1.contains("x-amz-content-sha256"));
}

#[test]
fn temporary_credentials_need_their_token_and_end() {
    let temporary = Credentials { session_token: Some("token".to_owned()), ..credentials() };
    let audience = Audience { service: "sagemaker", codes: Codes::Json };
    let verify_at = |request: &Request, minutes| {
        let secret_of = |key: &str| (key == KEY).then(|| Secret::new(SECRET).temporary("token", minutes_later(10)));
        verify(&request.canonical(), secret_of, minutes_later(minutes), audience).map_err(|error| error.code)
    };
    let request = Request::unsigned().signed("sagemaker", &temporary);
    assert!(verify_at(&request, 9).is_ok());
    assert_eq!(verify_at(&request, 10).unwrap_err(), "ExpiredTokenException");
    assert_eq!(verify_at(&signed(), 0).unwrap_err(), "UnrecognizedClientException");
    let query = Request::unsigned().presigned("sagemaker", &temporary, 60);
    assert!(verify_at(&query, 0).is_ok());
    let other = Credentials { session_token: Some("tokem".to_owned()), ..credentials() };
    assert_eq!(
        verify_at(&Request::unsigned().signed("sagemaker", &other), 0).unwrap_err(),
        "UnrecognizedClientException"
    );
    // A token that goes with a key which has none is an old one of the shell.
    assert!(request.verify().is_ok());
}

#[test]
fn issued_credentials_are_known_until_they_end() {
    let issuer = SessionIssuer::new("service secret");
    let audience = Audience { service: "sagemaker", codes: Codes::Json };
    let parent = issuer.parent(KEY);
    let issued = issuer.issue(parent, minutes_later(10), [1, 2, 3, 4, 5]);
    assert!((16..=128).contains(&issued.access_key_id.len()), "what STS's shapes allow");
    assert_ne!(issued.access_key_id, issuer.issue(parent, minutes_later(10), [1, 2, 3, 4, 6]).access_key_id);
    let session = issuer.issued(&issued.access_key_id).unwrap();
    assert_eq!((session.parent, session.expires), (parent, minutes_later(10)));
    assert_eq!(session.unique, [1, 2, 3, 4, 5]);
    assert_ne!(session.parent, issuer.parent("AKIAANOTHER"));
    // Another parent, in the id alone, is another key.
    let orphan = issuer.issue(issuer.parent("AKIAANOTHER"), minutes_later(10), [1, 2, 3, 4, 5]);
    assert_ne!(orphan.secret_access_key, issued.secret_access_key);
    assert_ne!(orphan.session_token, issued.session_token);
    let request = Request::unsigned().signed("sagemaker", &issued);
    let verify_at = |issuer: &SessionIssuer, minutes| {
        verify(&request.canonical(), |key| issuer.issued(key).map(Session::secret), minutes_later(minutes), audience)
            .map_err(|error| error.code)
    };
    assert!(verify_at(&issuer, 9).is_ok());
    assert_eq!(verify_at(&issuer, 10).unwrap_err(), "ExpiredTokenException");
    assert_eq!(verify_at(&SessionIssuer::new("another"), 0).unwrap_err(), "InvalidSignatureException");
    let long = "ASIA".to_owned() + &"A".repeat(33);
    let foreign = "ASIA".to_owned() + &"1".repeat(32);
    let split = "ASIA".to_owned() + "AAAAAAAAAAAAAAAé" + &"A".repeat(15);
    for other in ["AKIAWATCHKEEPER00001", "ASIA", "ASIAAAAAAAAAAAAAAAAA", "ASIAéééééééé", &long, &foreign, &split]
    {
        assert!(issuer.issued(other).is_none(), "{other}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", credentials(), Secret::new(SECRET).temporary("token", noon()));
    assert!(!shown.contains(SECRET) && !shown.contains("token"), "{shown}");
    let wrong = Request::unsigned()
        .signed("sagemaker", &Credentials { secret_access_key: "other".to_owned(), ..credentials() });
    let signature = wrong.header("authorization").rsplit('=').next().unwrap().to_owned();
    assert!(!wrong.verify().unwrap_err().to_string().contains(&signature));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        authorization in proptest::collection::vec(any::<u8>(), 0..120),
        tail in "[ -~é]{0,80}",
        query in "[ -~é]{0,120}",
        date in "[ -~é]{0,20}",
        path in "[ -~é]{0,40}",
    ) {
        let mut request = Request { path, query: query.clone(), ..Request::unsigned() };
        request.headers.push(("authorization".to_owned(), authorization));
        request.add("x-amz-date", &date);
        prop_assert!(request.verify().is_err());
        request.set("authorization", &format!("AWS4-HMAC-SHA256 Credential={tail}"));
        prop_assert!(request.verify().is_err());
        request.set("authorization", &format!("AWS4-HMAC-SHA256 Credential={KEY}/20260301/r/sagemaker/aws4_request, SignedHeaders={tail}, Signature={tail}"));
        prop_assert!(request.verify().is_err());
        request.remove("authorization");
        for query in [query, format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={tail}&X-Amz-Date={date}&X-Amz-Expires={date}&X-Amz-SignedHeaders=host&X-Amz-Signature={tail}")] {
            request.query = query;
            prop_assert!(request.verify().is_err());
            let headers: Vec<(&str, &[u8])> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
            let _ = scope_of(&headers, &request.query);
        }
    }

    /// What we sign, we accept; with another secret we do not.
    #[test]
    fn our_own_signatures_are_accepted(
        path in "/[a-zA-Z0-9%/._~+ -]{0,30}", query in "[a-zA-Z0-9%=&._~+-]{0,30}", value in "[ -~]{0,30}",
        body in proptest::collection::vec(any::<u8>(), 0..50), in_query: bool,
    ) {
        let mut request = Request { path, query, body, ..Request::unsigned() };
        request.add("x-amz-meta-value", &value);
        let sign = |credentials: &Credentials| if in_query { request.clone().presigned("sagemaker", credentials, 60) } else { request.clone().signed("sagemaker", credentials) };
        prop_assert!(sign(&credentials()).verify().is_ok());
        let other = Credentials { secret_access_key: format!("{SECRET}x"), ..credentials() };
        prop_assert!(sign(&other).verify().is_err());
    }
}
