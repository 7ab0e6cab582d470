//! Finding a GPU that everything needed works on, without a panic.
//!
//! cudarc opens libraries at their first use and panics where one is missing, so each is asked for
//! first.

use super::{
    Doing, Gpu,
    found::Found,
    library,
    select::{is_new_enough, others_of_the_kind, select},
    toolkit,
};
use crate::{
    device::{DeviceError, ShownGpu},
    job::DeviceChoice,
};
use cudarc::driver::{result, sys};

/// The GPUs that `choice` names, opened, and how many more of their kind are there.
///
/// # Errors
/// If the driver, a GPU, or a part of the CUDA toolkit is missing or too old, or the GPUs do not go together.
pub(crate) fn find(choice: &DeviceChoice) -> Result<(Vec<&'static Gpu>, usize), DeviceError> {
    let present = present()?;
    let chosen = select(choice, &present)?;
    toolkit::ready()?;
    let n_more = others_of_the_kind(&chosen, &present);
    let open = |found: &Found| Gpu::open(found).map_err(|error| error.of(&found.describe()));
    let gpus = chosen.into_iter().map(open);
    Ok((gpus.collect::<Result<_, _>>()?, n_more))
}

/// The version of CUDA that the driver is made for, such as 13000.
///
/// # Errors
/// If there is no driver, or none that can be opened.
pub(crate) fn driver() -> Result<i32, DeviceError> {
    match super::driver_version() {
        0 => Err(no_driver()),
        version => Ok(version),
    }
}

/// Why there is no driver: one that is there and does not open is another matter than none.
fn no_driver() -> DeviceError {
    let names = ["libcuda.so.1", "libcuda.so"].map(str::to_owned);
    match library::refused(&names).into_iter().next() {
        Some(refused) => DeviceError::BrokenDriver(refused),
        None => DeviceError::NoDriver,
    }
}

/// The GPUs that the driver shows, for people.
///
/// # Errors
/// If there is no driver, or none that starts, or it shows no GPU.
pub(crate) fn shown() -> Result<Vec<ShownGpu>, DeviceError> {
    let present = present()?;
    if present.is_empty() {
        return Err(DeviceError::NoGpu);
    }
    let shown = present.iter().map(|found| {
        // SAFETY: the device came from the driver.
        let memory_bytes = unsafe { result::device::total_mem(found.device) };
        Ok(ShownGpu {
            ordinal: found.ordinal,
            name: found.name.clone(),
            uuid: found.uuid.clone(),
            capability: found.capability,
            memory_bytes: memory_bytes.doing("read its memory")? as u64,
            is_new_enough: is_new_enough(found),
        })
    });
    shown.collect()
}

fn present() -> Result<Vec<Found>, DeviceError> {
    // SAFETY: it only tries to open the library.
    if !unsafe { sys::is_culib_present() } {
        return Err(no_driver());
    }
    result::init().map_err(|error| match error.0 {
        sys::CUresult::CUDA_ERROR_NO_DEVICE => DeviceError::NoGpu,
        _ => DeviceError::Driver(super::describe(error)),
    })?;
    Found::all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::GpuChoice;

    #[test]
    fn a_gpu_that_nobody_has_is_not_found() {
        let uuid = GpuChoice::Uuid("GPU-00000000-0000-0000-0000-000000000000".to_owned());
        let nowhere = DeviceChoice::Gpus(vec![uuid.clone()]);
        let Err(error) = find(&nowhere) else {
            panic!("no GPU has this UUID");
        };
        // SAFETY: it only tries to open the library.
        if unsafe { sys::is_culib_present() } {
            let is_explained = match &error {
                DeviceError::NoSuchGpu { asked, present } => *asked == uuid && !present.is_empty(),
                DeviceError::NoGpu | DeviceError::Driver(_) => true,
                _ => false,
            };
            assert!(is_explained, "{error:?}");
        } else {
            let is_explained =
                matches!(error, DeviceError::NoDriver | DeviceError::BrokenDriver(_));
            assert!(is_explained, "{error:?}");
        }
    }
}
