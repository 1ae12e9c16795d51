//! `Statistics`, `Constraints` and `ConstraintViolations`.

use watchkeeper::Result;
use watchkeeper::model_monitor::{ConstraintViolations, Constraints, ModelMonitoringFile, Statistics};

use super::{Current, Played};
use crate::requests::values::{Arguments, Values, but, flag, set, text, uri};

pub async fn made(class: &str, function: &str, arguments: &Arguments, values: &Values) -> Result<Current> {
    macro_rules! file {
        ($class:ident, $prefix:literal) => {{
            let place = concat!($prefix, "_file_s3_uri");
            let string = concat!($prefix, "_file_string");
            let path = concat!($prefix, "_file_path");
            Current::$class(match function {
                "from_s3_uri" => {
                    let mut request = $class::from_s3_uri(&values.session, uri(&arguments[place]));
                    set!(request, but(arguments, &[place]), value => { kms_key: text(value), });
                    request.await?
                }
                "from_string" => {
                    let mut request = $class::from_string(&values.session, text(&arguments[string]));
                    set!(request, but(arguments, &[string]), value => { kms_key: text(value), file_name: text(value), });
                    request.await?
                }
                "from_file_path" => {
                    let mut request = $class::from_file_path(&values.session, values.path(&arguments[path]));
                    set!(request, but(arguments, &[path]), value => { kms_key: text(value), });
                    request.await?
                }
                other => panic!("no function {other}"),
            })
        }};
    }
    Ok(match class {
        "Statistics" => file!(Statistics, "statistics"),
        "Constraints" => file!(Constraints, "constraints"),
        _ => file!(ConstraintViolations, "constraint_violations"),
    })
}

pub async fn of_constraints(file: &mut Constraints, name: &str, arguments: &Arguments) -> Played {
    if name == "set_monitoring" {
        let feature = arguments.get("feature_name").map(text);
        return file.set_monitoring(flag(&arguments["enable_monitoring"]), feature);
    }
    saved(file, name, arguments).await
}

pub async fn saved<B: watchkeeper::documents::Body>(
    file: &mut ModelMonitoringFile<B>,
    name: &str,
    arguments: &Arguments,
) -> Played {
    assert_eq!(name, "save");
    let mut request = file.save();
    set!(request, arguments, value => { new_save_location_s3_uri: uri(value), });
    request.await.map(drop)
}
