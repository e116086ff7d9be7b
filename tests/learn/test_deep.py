"""Networks: losses against the kernels, determinism, resuming, honesty, and maps that point where the truth is."""

from dataclasses import replace

import numpy as np
import pytest

from radiolocus.errors import ConfigError, FormatError
from radiolocus.kernels.coxpath import cox_loss as kernel_loss
from radiolocus.learn.cox import in_time
from radiolocus.learn.deep_checkpoint import read_checkpoint, write_checkpoint
from radiolocus.learn.deep_data import Crops, DeepData, Numbers, Windows
from radiolocus.learn.deep_options import DeepOptions, SequenceOptions
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.splits import Rowwise, outer_folds, seed_of
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import auc
from radiolocus.stats.discrete import discrete_loglik, fit_discrete, interval_ends

torch = pytest.importorskip("torch", reason='PyTorch is not installed: pip install "radiolocus[deep]"')

from radiolocus.learn.deep_explain import attribute, grad_cam, integrated_gradients  # noqa: E402
from radiolocus.learn.deep_loss import binary_loss, cox_loss, discrete_loss, head_of  # noqa: E402
from radiolocus.learn.deep_model import fit_deep  # noqa: E402
from radiolocus.learn.deep_torch import device_of  # noqa: E402

QUICK = DeepOptions(
    epochs=6, patience=6, inner_folds=2, channels=(4, 4, 6), embedding=6, penalties=6, crop=(1, 12, 12), device="cpu",
    sequences=SequenceOptions(genome="genome.fa", window=21, channels=4, motif=5),
)  # fmt: skip
SEED = np.random.SeedSequence(3)


def cohort(n=40, *, seed=0, size=(1, 12, 12), survival=True, corner=None):
    """Crops with a stripy or a plain texture, five markers, windows; risk from texture and the first marker."""
    rng = np.random.default_rng(seed)
    stripy, marker = rng.random(n) < 0.5, rng.random((n, 5)) < 0.4
    image = rng.normal(50, 4, (n, *size)).astype(np.float32)
    rows = np.arange(size[1])[:, None] % 2 * 24.0 - 12
    where = np.ones(size[1:], dtype=bool) if corner is None else corner
    image[stripy] += (rows * where).astype(np.float32)
    mask = np.ones((n, *size), dtype=bool)
    windows = rng.integers(0, 4, (n, 3, 2, 21)).astype(np.int8)
    windows[:, :, 1] = windows[:, :, 0]
    windows[:, :, 1, 10] = (windows[:, :, 0, 10] + 1) % 4
    risk = 2.5 * (stripy - 0.5) + 1.5 * (marker[:, 0] - 0.4)
    time, end = rng.exponential(size=n) / np.exp(risk), rng.uniform(0.3, 3, n)
    target = Target((time <= end).astype(float), np.minimum(time, end).round(2))
    if not survival:
        target = Target((rng.random(n) < 1 / (1 + np.exp(-2 * risk))).astype(float))
    names = tuple(f"g{j}" for j in range(5))
    numbers = Predictors(marker.astype(float), names, ("molecular",) * 5, np.zeros((n, 0), dtype=np.int64))
    count = rng.integers(0, 4, n)
    data = {"CT": Crops(image, mask), "molecular": Numbers(numbers), "sequences": Windows(windows, count)}
    return DeepData(data), target, stripy


@pytest.fixture(scope="module")
def fitted():
    data, target, stripy = cohort(70)
    return data, target, stripy, fit_deep(data, target, replace(QUICK, epochs=25, patience=25), SEED)


@pytest.mark.parametrize("efron_ties", [False, True])
def test_cox_loss_and_its_gradient_are_those_of_the_kernel(efron_ties):
    rng = np.random.default_rng(1)
    time = rng.exponential(size=30)
    time = np.ceil(time * 4) if efron_ties else time
    target = Target((rng.random(30) < 0.6).astype(float), time)
    eta = rng.standard_normal(30)
    order, bounds = in_time(target)

    def reference(values):
        return kernel_loss(values[None, order], target.event[order], bounds, True)[0]

    given = torch.tensor(eta, requires_grad=True)
    loss = cox_loss(given, target.time, target.event)
    loss.backward()
    steps = 1e-6 * np.eye(30)
    slope = np.array([(reference(eta + s) - reference(eta - s)) / 2e-6 for s in steps])
    assert float(loss.detach()) == pytest.approx(reference(eta), rel=1e-10)
    assert np.abs(given.grad.numpy() - slope).max() < 1e-6


def test_cox_loss_without_an_event_is_zero():
    assert float(cox_loss(torch.ones(3, dtype=torch.float64), [1.0, 2.0, 3.0], [0, 0, 0])) == 0.0


def test_discrete_loss_is_the_likelihood_of_the_linear_model():
    rng = np.random.default_rng(2)
    X, time = rng.standard_normal((60, 2)), np.ceil(rng.exponential(size=60) * 5)
    event = (rng.random(60) < 0.7).astype(float)
    ends = interval_ends(time, event, 4)
    fit = fit_discrete(time, event, X, ends, ridge=0.1)
    logits = torch.tensor((X @ fit.coefficient)[:, None] + fit.baseline)
    assert float(discrete_loss(logits, time, event, ends)) == pytest.approx(-discrete_loglik(fit, X, time, event))


def test_binary_loss_is_the_log_loss():
    logit, event = np.array([0.3, -2.0, 5.0]), np.array([1.0, 0.0, 0.0])
    p = 1 / (1 + np.exp(-logit))
    expected = -(event * np.log(p) + (1 - event) * np.log(1 - p)).sum()
    assert float(binary_loss(torch.tensor(logit), event)) == pytest.approx(expected)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    data, target, _ = cohort()
    first, again, other = (fit_deep(data, target, QUICK, s) for s in (SEED, SEED, np.random.SeedSequence(4)))
    assert [m.network.digest for m in first.members] == [m.network.digest for m in again.members]
    assert first.members[0].network.digest != other.members[0].network.digest
    assert first.predict(data).risk.tobytes() == again.predict(data).risk.tobytes()


class KilledError(Exception):
    pass


def test_an_interrupted_training_goes_on_to_the_bytes_of_an_undisturbed_one(tmp_path):
    data, target, _ = cohort()
    options = replace(QUICK, epochs=12, patience=12)
    whole = fit_deep(data, target, options, SEED)
    passes = []

    def kill(epoch):
        passes.append(epoch)
        if len(passes) == 19:  # amid the second network, after its first checkpoint
            raise KilledError

    with pytest.raises(KilledError):
        fit_deep(data, target, options, SEED, tmp_path / "net", kill)
    went_on = []
    resumed = fit_deep(data, target, options, SEED, tmp_path / "net", went_on.append)
    assert went_on == list(range(6, 13))  # the first network is done, the second stands after pass 5
    assert [m.network.digest for m in resumed.members] == [m.network.digest for m in whole.members]
    for a, b in zip(resumed.members, whole.members, strict=True):
        np.testing.assert_array_equal(a.network.history, b.network.history)


def test_a_checkpoint_of_other_data_or_a_damaged_one_is_not_taken_up(tmp_path):
    data, target, _ = cohort()
    other = cohort(seed=5)[0]
    alone = fit_deep(data, target, QUICK, SEED)
    fit_deep(other, target, QUICK, SEED, tmp_path / "net")
    (tmp_path / "net-1.npz").write_bytes(b"PK not a zip")
    found = fit_deep(data, target, QUICK, SEED, tmp_path / "net")
    assert [m.network.digest for m in found.members] == [m.network.digest for m in alone.members]


def test_a_checkpoint_keeps_its_arrays_has_no_time_in_it_and_no_pickle(tmp_path):
    arrays = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.array(2.5)}
    write_checkpoint(tmp_path / "one.npz", arrays, {"epoch": 3})
    write_checkpoint(tmp_path / "two.npz", arrays, {"epoch": 3})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found, state = read_checkpoint(tmp_path / "one.npz")
    assert state == {"epoch": 3}
    assert found["a/b"].dtype == np.float32
    np.testing.assert_array_equal(found["a/b"], arrays["a/b"])
    assert read_checkpoint(tmp_path / "none.npz") is None
    np.savez(tmp_path / "evil.npz", a=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(FormatError, match="no checkpoint of a network"):
        read_checkpoint(tmp_path / "evil.npz")


def test_what_stands_in_the_held_out_part_changes_no_weight():
    data, target, _ = cohort()
    poisoned, _, _ = cohort()
    held = np.arange(40) >= 30
    poisoned.modalities["CT"].image[held] = 1e6
    poisoned.modalities["molecular"].predictors.numeric[held] = -99.0
    poisoned.modalities["sequences"].bases[held] = 0
    event = np.where(held, 1.0 - target.event, target.event)
    spoiled = Target(event, target.time)
    clean = fit_deep(data.take(~held), target.take(~held), QUICK, SEED)
    after = fit_deep(poisoned.take(~held), spoiled.take(~held), QUICK, SEED)
    assert [m.network.digest for m in clean.members] == [m.network.digest for m in after.members]
    assert clean.threshold == after.threshold


@pytest.mark.parametrize("kind", ["cox", "discrete", "binary"])
def test_each_kind_of_endpoint_is_learned_and_told_as_what_it_is(kind):
    data, target, _ = cohort(120, survival=kind != "binary")
    loss = "discrete" if kind == "discrete" else "cox"
    options = replace(QUICK, epochs=30, patience=30, learning_rate=0.01, loss=loss)
    model = fit_deep(data, target, options, SEED)
    test, _, truth = cohort(60, seed=9)
    found = model.predict(test)
    assert found.risk[truth].mean() > found.risk[~truth].mean() + 0.5
    if kind == "binary":
        return
    survival = model.survival(found, [0.0, 0.3, 1.0])
    assert (survival[:, 0] == 1.0).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    assert survival[truth, 2].mean() < survival[~truth, 2].mean()
    assert head_of(target, options.loss).kind == kind


def test_a_patient_may_lack_any_modality_and_all_but_one(fitted):
    data, target, _, model = fitted
    crops, windows = data.modalities["CT"], data.modalities["sequences"]
    imaged = (np.arange(70) % 3 > 0)[:, None, None, None]
    sequenced = Windows(windows.bases, np.where(np.arange(70) % 2, -1, 2))
    lacking = DeepData({**data.modalities, "CT": Crops(crops.image, crops.mask & imaged), "sequences": sequenced})
    some = fit_deep(lacking, target, QUICK, SEED)
    found = some.predict(lacking)
    assert np.isfinite(found.risk).all()
    assert (found.attention[np.arange(70) % 3 == 0, 0] == 0).all()
    assert (found.attention[np.arange(70) % 2 == 1, 2] == 0).all()
    np.testing.assert_allclose(found.attention.sum(axis=1), 1.0, atol=1e-6)
    # What a patient lacks changes nothing, whatever stands there.
    other = Crops(np.where(imaged, crops.image, 7e3).astype(np.float32), crops.mask & imaged)
    np.testing.assert_array_equal(some.predict(DeepData({**lacking.modalities, "CT": other})).risk, found.risk)
    alone = model.predict(data, only="molecular")
    np.testing.assert_allclose(alone.attention[:, 1], 1.0, atol=1e-6)


def test_trained_with_modalities_left_out_networks_tell_from_the_image_alone():
    data, target, _ = cohort(100)
    test, _, stripy = cohort(80, seed=9)
    told = {}
    for share in (0.0, 0.5):
        options = replace(QUICK, epochs=20, patience=20, learning_rate=0.01, modality_dropout=share)
        model = fit_deep(data, target, options, SEED)
        told[share] = model.predict(test, only="CT").risk
    assert auc(stripy.astype(float), told[0.5]) > 0.9
    assert not np.array_equal(told[0.0], told[0.5])


def test_grad_cam_is_highest_where_the_texture_was_planted():
    corner = np.zeros((12, 12), dtype=bool)
    corner[:5, :5] = True
    data, target, _ = cohort(80, corner=corner)
    model = fit_deep(data, target, replace(QUICK, epochs=30, patience=30), SEED)
    test, _, stripy = cohort(30, seed=7, corner=corner)
    maps = grad_cam(model, test, "CT")
    assert maps.shape == (30, 1, 12, 12)
    inside, outside = maps[stripy][:, 0, corner].mean(), maps[stripy][:, 0, ~corner].mean()
    assert inside > 2 * outside
    y, x = np.unravel_index(maps[stripy][:, 0].mean(axis=0).argmax(), (12, 12))
    assert y < 6
    assert x < 6


def test_integrated_gradients_add_up_and_find_the_marker(fitted):
    data, _, stripy, model = fitted
    found = integrated_gradients(model.members[0], model.members[0].ready.apply(data), steps=64)
    span = found.risk - found.baseline
    assert np.abs(found.gap).max() < 0.03 * np.abs(span).max()
    whole = attribute(model, data.take(np.arange(20)))
    np.testing.assert_allclose(whole.risk, model.predict(data.take(np.arange(20))).risk, atol=1e-5)
    assert whole.windows.shape == (20, 3, 21)
    assert whole.total["CT"][stripy[:20]].mean() > whole.total["CT"][~stripy[:20]].mean()
    size = {name: np.abs(values).mean() for name, values in whole.columns["molecular"].items()}
    assert max(size, key=size.get) == "g0"


def test_a_base_that_is_the_same_in_both_alleles_is_given_nothing(fitted):
    data, _, _, model = fitted
    windows = attribute(model, data.take(np.arange(10))).windows
    assert (windows[..., np.arange(21) != 10] == 0).all()


def test_an_endpoint_that_networks_do_not_know_is_refused():
    data, target, _ = cohort()
    with pytest.raises(ConfigError, match="an endpoint with entry, which networks do not know"):
        fit_deep(data, replace(target, entry=np.zeros(40)), QUICK, SEED)
    with pytest.raises(ConfigError, match="a network for a ordinal endpoint"):
        fit_deep(data, Target(np.arange(40) % 3, levels=("a", "b", "c"), ordered=True), QUICK, SEED)


def test_a_device_that_is_not_there_is_told():
    if torch.cuda.is_available():
        assert device_of("auto").type == "cuda"
    else:
        assert device_of("auto").type == "cpu"
        with pytest.raises(ConfigError, match="no such device"):
            device_of("cuda")


def test_settings_of_the_process_are_left_as_they_were():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    data, target, _ = cohort()
    fit_deep(data, target, replace(QUICK, epochs=1), SEED)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def variants(n, seed):
    """Four variants a patient; in half of the patients one of them breaks a motif, and that is what counts."""
    rng = np.random.default_rng(seed)
    broken = rng.random(n) < 0.5
    bases = np.repeat(rng.integers(0, 4, (n, 4, 1, 21)), 2, axis=2).astype(np.int8)
    for i in np.flatnonzero(broken):
        at = 10 - int(rng.integers(6))
        bases[i, int(rng.integers(4)), :, at : at + 6] = (2, 2, 3, 0, 0, 2)
    bases[:, :, 1, 10] = (bases[:, :, 1, 10] + 1 + rng.integers(0, 3, (n, 4))) % 4
    event = rng.random(n) < np.where(broken, 0.9, 0.1)
    return DeepData({"sequences": Windows(bases, np.full(n, 4))}), Target(event.astype(float)), broken


def test_a_motif_that_variants_break_is_learned_from_sequences_alone():
    data, target, _ = variants(300, 1)
    options = replace(QUICK, epochs=30, patience=12, learning_rate=0.01, inner_folds=3)
    options = replace(options, sequences=replace(options.sequences, channels=48, motif=7))
    model = fit_deep(data, target, options, SEED)
    test, _, broken = variants(200, 2)
    assert auc(broken.astype(float), model.predict(test).risk) > 0.8
    found = attribute(model, test.take(np.flatnonzero(broken)[:40])).windows.sum(axis=2)
    assert np.abs(found).max(axis=1).mean() > 2 * np.abs(found).mean()


def test_on_noise_the_interval_holds_one_half():
    """Outcome drawn by a coin: the whole of it, out of fold."""
    data, _, _ = cohort(60)
    target = Target(np.random.default_rng(5).integers(0, 2, 60).astype(float))
    options = replace(QUICK, folds=3)
    fold = outer_folds(target, options, 0, Rowwise()).fold
    risk = np.empty(60)
    for k in range(3):
        model = fit_deep(data.take(fold != k), target.take(fold != k), options, seed_of(options, 0, k))
        risk[fold == k] = model.predict(data.take(fold == k)).risk
    found = out_of_fold_discrimination(target, risk[None], fold[None], 500)
    assert found.lower < 0.5 < found.upper
