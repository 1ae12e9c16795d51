//! `Predictor`.

use watchkeeper::predictor::Predictor;

use super::{Played, without_arguments};
use crate::requests::values::{Arguments, but, data_capture_config, flag, set, text};

pub async fn of_predictor(predictor: &mut Predictor, name: &str, arguments: &Arguments) -> Played {
    match name {
        "predict" => predicted(predictor, arguments).await,
        "update_data_capture_config" => {
            let config = data_capture_config(&arguments["data_capture_config"]);
            predictor.update_data_capture_config(&config).await
        }
        "delete_endpoint" => {
            let mut request = predictor.delete_endpoint();
            set!(request, arguments, value => { delete_endpoint_config: flag(value), });
            request.await
        }
        _ => {
            without_arguments(arguments);
            match name {
                "enable_data_capture" => predictor.enable_data_capture().await,
                "disable_data_capture" => predictor.disable_data_capture().await,
                "list_monitors" => predictor.list_monitors().await.map(drop),
                "delete_model" => predictor.delete_model().await,
                other => panic!("no method {other}"),
            }
        }
    }
}

async fn predicted(predictor: &Predictor, arguments: &Arguments) -> Played {
    let mut request = predictor.predict(text(&arguments["data"]).to_owned());
    if let Some(initial) = arguments.get("initial_args") {
        let initial = initial.as_object().unwrap();
        request = request.content_type(text(&initial["ContentType"])).accept(text(&initial["Accept"]));
    }
    set!(request, but(arguments, &["data", "initial_args"]), value => {
        target_model: text(value),
        target_variant: text(value),
        inference_id: text(value),
        custom_attributes: text(value),
        component_name: text(value),
    });
    request.await.map(drop)
}
