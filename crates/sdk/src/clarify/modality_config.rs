//! Texts and images, as far as their attributions are asked for. What a server supports of them is its own matter.

use serde_json::{Map, Value};

use super::analysis_config::set;
use crate::request::setters;
use crate::word::word;
use crate::{Error, Result};

word! {
    /// The units of a text that get attributions.
    pub enum TextGranularity {
        /// Words and punctuation.
        Token = "token",
        /// Sentences.
        Sentence = "sentence",
        /// Paragraphs.
        Paragraph = "paragraph",
    }
}

/// Features that are texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextConfig {
    granularity: TextGranularity,
    language: String,
}

/// The languages of [`TextConfig`], in English and as codes, as Clarify's documentation lists them.
#[rustfmt::skip]
const LANGUAGES: [&str; 126] = [
    "chinese", "zh", "danish", "da", "dutch", "nl", "english", "en", "french", "fr", "german", "de", "greek", "el",
    "italian", "it", "japanese", "ja", "lithuanian", "lt", "multi-language", "xx", "norwegian bokmål", "nb", "polish", "pl",
    "portuguese", "pt", "romanian", "ro", "russian", "ru", "spanish", "es", "afrikaans", "af", "albanian", "sq", "arabic", "ar",
    "armenian", "hy", "basque", "eu", "bengali", "bn", "bulgarian", "bg", "catalan", "ca", "croatian", "hr", "czech", "cs",
    "estonian", "et", "finnish", "fi", "gujarati", "gu", "hebrew", "he", "hindi", "hi", "hungarian", "hu", "icelandic", "is",
    "indonesian", "id", "irish", "ga", "kannada", "kn", "kyrgyz", "ky", "latvian", "lv", "ligurian", "lij",
    "luxembourgish", "lb", "macedonian", "mk", "malayalam", "ml", "marathi", "mr", "nepali", "ne", "persian", "fa",
    "sanskrit", "sa", "serbian", "sr", "setswana", "tn", "sinhala", "si", "slovak", "sk", "slovenian", "sl", "swedish", "sv",
    "tagalog", "tl", "tamil", "ta", "tatar", "tt", "telugu", "te", "thai", "th", "turkish", "tr", "ukrainian", "uk",
    "urdu", "ur", "vietnamese", "vi", "yoruba", "yo",
];

impl TextConfig {
    /// The units, and the language: its English name in lower case or its two-letter code, `multi-language` for several.
    pub fn new(granularity: impl Into<TextGranularity>, language: impl Into<String>) -> Self {
        Self { granularity: granularity.into(), language: language.into() }
    }

    /// This part of `analysis_config.json`.
    pub fn get_text_config(&self) -> Result<Map<String, Value>> {
        if let TextGranularity::Other(word) = &self.granularity {
            return Err(Error::argument("granularity", format!("{word:?} is none of token, sentence and paragraph")));
        }
        if !LANGUAGES.contains(&self.language.as_str()) {
            return Err(Error::argument(
                "language",
                format!(
                    "{:?} is no supported language; its name in English, in lower case, or its two-letter code",
                    self.language
                ),
            ));
        }
        let mut config = Map::new();
        set(&mut config, "granularity", Some(&self.granularity));
        set(&mut config, "language", Some(&self.language));
        Ok(config)
    }
}

word! {
    /// What a model does with images.
    pub enum ImageModelType {
        /// It finds objects and where they are.
        ObjectDetection = "OBJECT_DETECTION",
        /// It says what an image shows.
        ImageClassification = "IMAGE_CLASSIFICATION",
    }
}

/// Features that are images.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageConfig {
    model_type: ImageModelType,
    num_segments: Option<u32>,
    feature_extraction_method: Option<String>,
    segment_compactness: Option<f64>,
    max_objects: Option<u32>,
    iou_threshold: Option<f64>,
    context: Option<f64>,
}

impl ImageConfig {
    /// What the model does.
    pub fn new(model_type: impl Into<ImageModelType>) -> Self {
        Self {
            model_type: model_type.into(),
            num_segments: None,
            feature_extraction_method: None,
            segment_compactness: None,
            max_objects: None,
            iou_threshold: None,
            context: None,
        }
    }

    setters! {
        /// About how many segments (SLIC) an image is divided into; 20 unless set.
        num_segments = u32,
        /// How features are made of an image; `segmentation` unless set.
        feature_extraction_method: String,
        /// How much nearness counts against colour in segments, a whole number; 5 unless set.
        segment_compactness: f64,
        /// How many objects of an image are explained at most, the surest first; 3 unless set.
        max_objects = u32,
        /// The overlap from which an object counts as found, from 0 to 1; 0.5 unless set.
        iou_threshold: f64,
        /// How much of what is around an object counts, from 0 to 1; 1 unless set.
        context: f64,
    }

    /// This part of `analysis_config.json`.
    pub fn get_image_config(&self) -> Result<Map<String, Value>> {
        if let ImageModelType::Other(word) = &self.model_type {
            return Err(Error::argument(
                "model_type",
                format!("{word:?} is neither OBJECT_DETECTION nor IMAGE_CLASSIFICATION"),
            ));
        }
        // The schema of `analysis_config.json` takes an integer, where the documentation of the parameter speaks of a float.
        if self.segment_compactness.is_some_and(|value| value.fract() != 0.0) {
            return Err(Error::argument("segment_compactness", "must be a whole number"));
        }
        let mut config = Map::new();
        set(&mut config, "model_type", Some(&self.model_type));
        set(&mut config, "num_segments", self.num_segments.as_ref());
        set(&mut config, "feature_extraction_method", self.feature_extraction_method.as_ref());
        set(&mut config, "segment_compactness", self.segment_compactness.map(|value| value as i64).as_ref());
        set(&mut config, "max_objects", self.max_objects.as_ref());
        set(&mut config, "iou_threshold", self.iou_threshold.as_ref());
        set(&mut config, "context", self.context.as_ref());
        Ok(config)
    }
}
