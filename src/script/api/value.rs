//! Rhai values as option values.

use crate::job::{OptionMap, OptionValue};
use rhai::{Dynamic, Map, NativeCallContext};

/// The options of a map literal.
pub(super) fn option_map(context: &NativeCallContext, map: Map) -> OptionMap {
    map.into_iter()
        .map(|(name, value)| (name.to_string(), option_value(context, value)))
        .collect()
}

fn option_value(context: &NativeCallContext, value: Dynamic) -> OptionValue {
    if value.is_unit() {
        return OptionValue::Nothing;
    }
    if let Ok(flag) = value.as_bool() {
        return OptionValue::Flag(flag);
    }
    if let Ok(number) = value.as_int() {
        return OptionValue::Whole(number);
    }
    if let Ok(number) = value.as_float() {
        return OptionValue::Decimal(number);
    }
    if value.is_string() {
        return OptionValue::Text(value.to_string());
    }
    if value.is_array() {
        let items = value.into_array().expect("it was just seen to be an array");
        return OptionValue::List(
            items
                .into_iter()
                .map(|item| option_value(context, item))
                .collect(),
        );
    }
    if value.is_map() {
        let map = value.cast::<Map>();
        return OptionValue::Map(option_map(context, map));
    }
    let type_name = context.engine().map_type_name(value.type_name()).to_owned();
    OptionValue::Other(type_name)
}

/// An option value as a Rhai value.
pub(super) fn script_value(value: &OptionValue) -> Dynamic {
    match value {
        OptionValue::Flag(flag) => Dynamic::from_bool(*flag),
        OptionValue::Whole(number) => Dynamic::from_int(*number),
        OptionValue::Decimal(number) => Dynamic::from_float(*number),
        OptionValue::Text(text) => text.clone().into(),
        OptionValue::List(items) => Dynamic::from_array(items.iter().map(script_value).collect()),
        OptionValue::Map(map) => {
            let entries = map.iter();
            let map: Map = entries
                .map(|(name, value)| (name.as_str().into(), script_value(value)))
                .collect();
            map.into()
        }
        OptionValue::Nothing => Dynamic::UNIT,
        // Its value is gone; what is known of it is the name of its type.
        OptionValue::Other(type_name) => type_name.clone().into(),
    }
}
