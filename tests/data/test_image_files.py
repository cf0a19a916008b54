"""Pictures are read as a viewer shows them, and written completely or not at all."""

import io
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms, TiffImagePlugin
from skimage import data as skimage_data

from ldrps.data.as_sample import as_sample
from ldrps.data.image_files import opened, read_picture, to_picture, to_tensor, write_picture
from ldrps.data.images import ImageData
from ldrps.data.inputs import find_images, name_outputs
from ldrps.methods.ld_rps.working_size import WorkingSize
from modules.pictures import to_pil


@pytest.fixture
def photo():
    return Image.fromarray(skimage_data.coffee()).resize((30, 20))


def write_twelve_bit(path, grey):
    """A TIFF of grey, shape (H, W) with even W, of which two pixels share three bytes; no writer here makes any."""
    first, second = grey[:, ::2], grey[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8)
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory.update(
        {256: grey.shape[1], 257: grey.shape[0], 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 279: packed.size}
    )
    stream = io.BytesIO()
    directory.save(stream)
    path.write_bytes(stream.getvalue() + packed.tobytes())


def write_shared_colours(path, ycbcr):
    """A TIFF of YCbCr, shape (H, W, 3) with even sides; four pixels share a colour, as no writer here makes any."""
    height, width, _ = ycbcr.shape
    blocks = ycbcr.reshape(height // 2, 2, width // 2, 2, 3).swapaxes(1, 2)
    light = blocks[..., 0].reshape(height // 2, width // 2, 4)
    content = np.concatenate([light, blocks[..., 1:].mean(axis=(2, 3)).round().astype(np.uint8)], axis=-1).tobytes()
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory.update({256: width, 257: height, 258: (8, 8, 8), 259: 1, 262: 6, 273: 0, 277: 3, 530: (2, 2)})
    directory[278], directory[279] = height, len(content)
    stream = io.BytesIO()
    directory.save(stream)
    path.write_bytes(stream.getvalue() + content)


def as_array(picture):
    return (picture.image.permute(1, 2, 0).numpy() * 255).round().astype(int)


def test_a_written_picture_is_read_back_exactly(tmp_path, photo):
    write_picture(photo, tmp_path / "deep" / "photo.png")
    picture = read_picture(tmp_path / "deep" / "photo.png")
    assert np.array_equal(as_array(picture), np.asarray(photo))
    assert picture.alpha is None
    (tmp_path / "plain").touch()
    assert (tmp_path / "deep" / "photo.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    grey = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    image = read_picture(tmp_path / "deep.png").image
    torch.testing.assert_close(image[1], torch.from_numpy(grey.astype(np.float32) / 65535))


def test_floats_are_taken_for_zero_to_one_and_cut_off_there(tmp_path):
    grey = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    highlight = grey.copy()
    highlight[3, 4] = 2.0
    for values, expected in ((grey, grey), (highlight, highlight.clip(0, 1)), (3 * grey, (3 * grey).clip(0, 1))):
        Image.fromarray(values).save(tmp_path / "float.tif")
        image = read_picture(tmp_path / "float.tif").image
        torch.testing.assert_close(image, torch.from_numpy(expected).expand(3, -1, -1))


@pytest.mark.parametrize("white", [255, 65535])
def test_floats_that_are_whole_numbers_of_pixels_are_scaled(tmp_path, white):
    for grey in (np.linspace(0, 1, 256), np.linspace(0, 0.2, 256)):
        Image.fromarray((white * grey).astype(np.float32).reshape(16, 16)).save(tmp_path / "float.tif")
        image = read_picture(tmp_path / "float.tif").image
        torch.testing.assert_close(image[0].flatten(), torch.from_numpy(grey).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_deep_grey_whose_zero_is_white_is_no_negative(tmp_path, compression):
    for grey, white in (
        (np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16), 65535),
        (np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16), 1),
    ):
        tifffile.imwrite(tmp_path / "deep.tif", grey, photometric="miniswhite", compression=compression)
        expected = 1 - torch.from_numpy(grey.astype(np.float32) / white)
        torch.testing.assert_close(read_picture(tmp_path / "deep.tif").image[1], expected)
        with Image.open(tmp_path / "deep.tif") as image:
            torch.testing.assert_close(to_picture(image).image[1], expected)


def test_twelve_bit_grey_keeps_its_range(tmp_path):
    grey = np.linspace(0, 4095, 256).round().astype(np.uint16).reshape(16, 16)
    write_twelve_bit(tmp_path / "deep.tif", grey)
    image = read_picture(tmp_path / "deep.tif").image
    torch.testing.assert_close(image[1], torch.from_numpy(grey.astype(np.float32) / 4095))


@pytest.mark.parametrize("kind", ["int32", "uint32", "int16"])
def test_whole_numbers_without_a_known_white_are_refused(tmp_path, kind):
    tifffile.imwrite(tmp_path / "deep.tif", np.arange(256, dtype=kind).reshape(16, 16), photometric="minisblack")
    held = f"{'' if kind.startswith('u') else 'signed '}whole numbers of {kind[-2:]} bits"
    with pytest.raises(ValueError, match=rf"deep\.tif holds {held}, of which none is known to be white: save it with"):
        read_picture(tmp_path / "deep.tif")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_not_numbers_are_refused(tmp_path, value):
    grey = np.full((16, 16), 0.5, dtype=np.float32)
    grey[3, 4] = value
    Image.fromarray(grey).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match=r"float\.tif holds values that are not numbers \(NaN or infinite\): replace"):
        read_picture(tmp_path / "float.tif")
    with pytest.raises(ValueError, match="the picture holds values that are not numbers"):
        to_picture(Image.fromarray(grey))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, photo, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / "turned.png", exif=exif)
    image = read_picture(tmp_path / "turned.png").image
    assert image.shape[1:] == ((20, 30) if orientation < 5 else (30, 20))
    assert torch.equal(as_sample(Image.open(tmp_path / "turned.png")).image, image)
    if orientation == 6:  # the camera was turned: rows become columns, clockwise
        assert np.array_equal(as_array(read_picture(tmp_path / "turned.png")), np.rot90(np.asarray(photo), -1))


def test_transparency_is_kept_apart_and_put_back(tmp_path, photo):
    alpha = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30).clip(0, 255).astype(np.uint8))
    photo.putalpha(alpha)
    photo.save(tmp_path / "glass.png")
    picture = read_picture(tmp_path / "glass.png")
    assert np.array_equal(as_array(picture), np.asarray(photo)[..., :3])
    assert np.array_equal(np.asarray(to_pil(picture.image, picture.alpha)), np.asarray(photo))


def test_grey_palette_and_cmyk_become_rgb(tmp_path, photo):
    for mode, suffix in (("L", "png"), ("P", "png"), ("CMYK", "jpg"), ("1", "png")):
        photo.convert(mode).save(tmp_path / f"{mode}.{suffix}", quality=100)
        picture = read_picture(tmp_path / f"{mode}.{suffix}")
        assert picture.image.shape == (3, 20, 30)
        expected = np.asarray(photo.convert(mode).convert("RGB")).astype(int)
        assert np.abs(as_array(picture) - expected).mean() < 4


def test_an_embedded_profile_is_converted_to_srgb(tmp_path, photo):
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo.save(tmp_path / "profile.png", icc_profile=linear)
    assert np.abs(as_array(read_picture(tmp_path / "profile.png")) - np.asarray(photo)).max() <= 1
    photo.save(tmp_path / "broken.png", icc_profile=b"no profile")
    assert np.array_equal(as_array(read_picture(tmp_path / "broken.png")), np.asarray(photo))


@pytest.mark.parametrize(
    "settings", [{}, {"big_tiff": True}, {"compression": "tiff_lzw"}, {"compression": "jpeg", "quality": 100}]
)
def test_ycbcr_of_a_tiff_becomes_rgb(tmp_path, photo, settings):
    photo.convert("YCbCr").save(tmp_path / "ycbcr.tif", **settings)
    picture = read_picture(tmp_path / "ycbcr.tif")
    assert np.abs(as_array(picture) - np.asarray(photo)).mean() < 1
    assert picture.original.notes == ()


@pytest.mark.parametrize("layout", [{"rowsperstrip": 7}, {"tile": (16, 16)}, {"planarconfig": "separate"}])
def test_ycbcr_of_a_tiff_becomes_rgb_however_it_lies_there(tmp_path, photo, layout):
    ycbcr = np.asarray(photo.convert("YCbCr"))
    pixels = np.moveaxis(ycbcr, -1, 0) if "planarconfig" in layout else ycbcr
    tifffile.imwrite(tmp_path / "ycbcr.tif", pixels, photometric="ycbcr", subsampling=(1, 1), **layout)
    assert np.abs(as_array(read_picture(tmp_path / "ycbcr.tif")) - np.asarray(photo)).max() <= 3


def test_ycbcr_of_a_tiff_whose_pixels_share_colours_becomes_rgb(tmp_path, photo):
    fine = np.asarray(photo.convert("YCbCr"))
    shared = np.concatenate([fine[..., :1], fine[::2, ::2, 1:].repeat(2, axis=0).repeat(2, axis=1)], axis=-1)
    write_shared_colours(tmp_path / "ycbcr.tif", shared)
    expected = np.asarray(Image.fromarray(shared, "YCbCr").convert("RGB"))
    assert np.abs(as_array(read_picture(tmp_path / "ycbcr.tif")) - expected).max() <= 3


def test_a_ycbcr_tiff_that_is_cut_off_is_named(tmp_path, photo):
    photo.convert("YCbCr").save(tmp_path / "ycbcr.tif")
    (tmp_path / "ycbcr.tif").write_bytes((tmp_path / "ycbcr.tif").read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"ycbcr\.tif is damaged or cut short"):
        read_picture(tmp_path / "ycbcr.tif")


def test_camera_raw_is_not_taken_for_the_small_preview_in_it(tmp_path, photo):
    raw = tmp_path / "raw.NEF"
    photo.save(raw, format="TIFF")
    for read in (lambda: read_picture(raw), lambda: find_images(str(tmp_path))):
        with pytest.raises(ValueError, match="camera raw: develop it to TIFF or JPEG first"):
            read()


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_avif_is_one_sentence(tmp_path, photo, seed):
    photo.save(tmp_path / "whole.avif")
    content = bytearray((tmp_path / "whole.avif").read_bytes())
    start = content.index(b"mdat") + 4
    content[start:] = np.random.default_rng(seed).bytes(len(content) - start)
    (tmp_path / "cut.avif").write_bytes(content)
    with pytest.raises(ValueError, match=r"cut\.avif is damaged or cut short"):
        read_picture(tmp_path / "cut.avif")


def test_errors_of_decoders_are_told_apart_from_those_of_the_program(tmp_path, photo, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no such thing")

    photo.save(tmp_path / "photo.png")
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", fail)
        with pytest.raises(OSError, match="no such thing"), opened(tmp_path / "photo.png"):
            pass
    monkeypatch.setattr("ldrps.data.image_files.to_tensor", fail)
    with pytest.raises(RuntimeError, match="no such thing"):
        read_picture(tmp_path / "photo.png")


def test_the_limit_of_pixels_is_ours_until_a_picture_is_loaded(tmp_path, photo, monkeypatch):
    photo.save(tmp_path / "large.tif", compression="tiff_lzw")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_picture(tmp_path / "large.tif").image.shape == (3, 20, 30)
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(ValueError, match="more than max_pixels=599"):
        read_picture(tmp_path / "large.tif", max_pixels=599)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_failed_write_leaves_the_old_file(tmp_path, photo, monkeypatch):
    path = tmp_path / "photo.png"
    write_picture(photo, path)
    before = path.read_bytes()

    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_picture(photo, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.png"]


def test_tensors_round_to_eight_bits():
    values = torch.tensor([-0.1, 0.0, 0.4999, 1.0, 1.2]).expand(3, 1, 5)
    assert np.asarray(to_pil(values))[0, :, 0].tolist() == [0, 0, 127, 255, 255]
    assert to_tensor(to_pil(values)).shape == (3, 1, 5)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (17, 33), (64, 64), (131, 97)])
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5])
def test_any_size_fits_the_network_and_comes_back(size, scale):
    working = WorkingSize(*size, scale=scale, multiple=16)
    image = torch.rand(1, 3, *size)
    entered = working.enter(image)
    assert entered.shape[-1] % 16 == 0
    assert entered.shape[-2] % 16 == 0
    assert working.leave(entered).shape == image.shape
    if scale == 1:
        assert torch.equal(working.leave(entered), image)


def test_the_same_file_named_twice_is_restored_once(tmp_path, photo):
    photo.save(tmp_path / "a.png")
    data = ImageData([str(tmp_path), str(tmp_path / "a.png")])
    data.setup("predict")
    assert len(data.files) == 1


def test_a_file_in_two_spellings_is_restored_once_and_a_link_of_its_own_name_too(tmp_path, photo):
    (tmp_path / "sub").mkdir()
    photo.save(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "other").symlink_to("sub")
    shutil.copy(tmp_path / "a.png", tmp_path / "sub" / "b.png")
    names = ["a.png", "sub/../a.png", "link.png", "sub/b.png", "other/b.png"]
    data = ImageData([str(tmp_path / name) for name in names])
    data.setup("predict")
    assert [name for _, name in data.files] == ["a", "link", "b"]


def test_hidden_files_of_a_folder_are_no_pictures_unless_they_are_named(tmp_path, photo):
    folder = tmp_path / ".in"
    (folder / ".thumbs").mkdir(parents=True)
    for name in ("a.png", "._a.png", ".thumbs/t.png"):
        photo.save(folder / name)
    assert find_images(str(folder)) == [(folder / "a.png", Path("a.png"))]
    assert find_images(str(folder / "._a.png")) == [(folder / "._a.png", Path("._a.png"))]
    assert find_images(str(folder / "._*.png")) == [(folder / "._a.png", Path("._a.png"))]
    (folder / "a.png").unlink()
    with pytest.raises(ValueError, match="holds no image"):
        find_images(str(folder))


def test_files_of_one_stem_get_two_names(tmp_path, photo):
    photo.save(tmp_path / "a.png")
    photo.save(tmp_path / "a.jpg")
    data = ImageData([str(tmp_path)])
    data.setup("predict")
    assert sorted(name for _, name in data.files) == ["a.jpg", "a.png"]
    assert len(find_images(str(tmp_path / "*.png"))) == 1


def test_names_for_four_times_as_many_files_take_about_four_times_as_long(tmp_path):
    def seconds_for(count):
        found = [(tmp_path / f"{number}.png", Path(f"{number}.png")) for number in range(count)]
        started = time.process_time()
        assert [name for _, name in name_outputs(found)] == [str(number) for number in range(count)]
        return time.process_time() - started

    # Sixteen times as long where each looks through all.
    assert seconds_for(40_000) < 8 * seconds_for(10_000)
