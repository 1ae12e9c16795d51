//! How requests with optional parts are written: a struct with setters that is sent when it is awaited.

use std::pin::Pin;

use crate::Result;

/// What awaiting a request runs.
pub type Sending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Setters of optional parts, each a field of type `Option<...>`.
///
/// `setters! { /// What it is. name: Type, ... }` inside the `impl` takes `impl Into<Type>`; `name: [Type]` takes a list of
/// those, for a `Vec<Type>`; after `=` in place of the colon it takes the type itself, as a number has to be, whose literals are
/// `i32` where several types would do.
macro_rules! setters {
    () => {};
    ($(#[$doc:meta])* $name:ident: [$element:ty], $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use = "a setter gives the changed value"]
        pub fn $name(mut self, $name: impl IntoIterator<Item = impl Into<$element>>) -> Self {
            self.$name = Some($name.into_iter().map(Into::into).collect());
            self
        }
        $crate::request::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* $name:ident: $type:ty, $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use = "a setter gives the changed value"]
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = Some($name.into());
            self
        }
        $crate::request::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* $name:ident = $type:ty, $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use = "a setter gives the changed value"]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = Some($name);
            self
        }
        $crate::request::setters! { $($rest)* }
    };
}

/// Makes `Request<'a>` a thing to be awaited: `awaitable!(Request => Output)`, where `Request::send(self)` is its
/// `async fn send(self) -> Result<Output>`.
macro_rules! awaitable {
    ($request:ident => $output:ty) => {
        impl<'a> IntoFuture for $request<'a> {
            type Output = $crate::Result<$output>;
            type IntoFuture = $crate::request::Sending<'a, $output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}

pub(crate) use {awaitable, setters};
