"""SevenNet's convolution on a CPU: the shipped numbers at about a quarter of the time.

The shipped one writes the message of every edge to memory, path by path, and its backward pass does so several times
over. Here one compiled loop over edges gathers, multiplies and adds up at once, and nothing of an edge is kept but the
weights of its radial network.

Source of the model: Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

ZERO = 1e-7
"""Coefficients below are none: they are of order one, or zero but for rounding."""
BLOCK = 32
"""Channels of an inner loop: of a length that the compiler knows it makes vector code without checks, four times as
fast; models have 32, 64 and 128 channels."""


def use_compiled_convolutions(model: Any) -> None:
    """Exchange the convolutions of a SevenNet for compiled ones, and freeze its weights.

    Args:
        model: As its calculator holds it, on the CPU; changed in place.
    """
    from sevenn.nn.convolution import IrrepsConvolution

    model.requires_grad_(False)
    for name, module in list(model.named_children()):
        if type(module) is IrrepsConvolution:
            setattr(model, name, _classes()[1](module))


class Paths:
    """The tensor products of a convolution as tables that compiled code can read.

    Features of an irrep are `(channel, component)` in e3nn, channels outside; here channels are inside, so that loops
    over them run along memory.

    Args:
        product: An e3nn `TensorProduct` of features with one spherical harmonic of each degree, paths `uvu`.
    """

    def __init__(self, product: Any) -> None:
        from e3nn.o3 import wigner_3j

        self.x_order, self.out_order = _channels_inside(product.irreps_in1), _channels_inside(product.irreps_out)
        self.out_order_back = np.argsort(self.out_order)
        self.x_order_back = np.argsort(self.x_order)
        x_slices, y_slices = product.irreps_in1.slices(), product.irreps_in2.slices()
        out_slices = product.irreps_out.slices()
        entries: list[tuple[int, ...]] = []
        places: list[int] = []
        coefficients: list[float] = []
        first_weight = 0
        for path in product.instructions:
            (channels, of_x), (_, of_y) = product.irreps_in1[path.i_in1], product.irreps_in2[path.i_in2]
            of_out = product.irreps_out[path.i_out].ir
            if path.connection_mode != "uvu" or not path.has_weight:
                raise ValueError(f"a tensor product of mode {path.connection_mode}, not uvu with weights")
            table = path.path_weight * wigner_3j(of_x.l, of_y.l, of_out.l).numpy()
            for i, k in np.argwhere(np.abs(table).max(axis=1) > ZERO):
                harmonics = np.flatnonzero(np.abs(table[i, :, k]) > ZERO)
                entries.append((
                    x_slices[path.i_in1].start + i * channels, out_slices[path.i_out].start + k * channels,
                    first_weight, channels, len(places), len(places) + len(harmonics),
                ))  # fmt: skip
                places += [y_slices[path.i_in2].start + j for j in harmonics]
                coefficients += [table[i, j, k] for j in harmonics]
            first_weight += channels
        self.entries = np.array(entries, dtype=np.int64)
        """shape (n_entries, 6), one for each pair of a feature's and an output's component: first of the feature, the
        output and the weights; channels; first and last of its terms."""
        self.places = np.array(places, dtype=np.int64)
        """shape (n_terms,), of spherical harmonics."""
        self.coefficients = np.array(coefficients, dtype=np.float32)
        """shape (n_terms,), Clebsch-Gordan coefficients with the weights of the paths."""
        self.out_size = product.irreps_out.dim


def _channels_inside(irreps: Any) -> np.ndarray:
    """Places in e3nn's order of features, in the order with channels inside."""
    parts = [
        np.arange(part.start, part.stop).reshape(multiplicity, irrep.dim).T.ravel()
        for part, (multiplicity, irrep) in zip(irreps.slices(), irreps, strict=True)
    ]
    return np.concatenate(parts)


def convolve(features: Any, harmonics: Any, weights: Any, source: Any, target: Any, paths: Paths) -> Any:
    """Messages of all edges, summed at their targets; differentiable once by the first three.

    Args:
        features: shape (n_atoms, n_features), float32, in e3nn's order.
        harmonics: shape (n_edges, n_harmonics), of each edge's direction.
        weights: shape (n_edges, n_weights), of the radial network.
        source: shape (n_edges,), atom that sends.
        target: shape (n_edges,), atom that receives.
        paths: Of the tensor product.

    Returns:
        shape (n_atoms, n_out), in e3nn's order.
    """
    return _classes()[0].apply(features, harmonics, weights, source, target, paths)


@functools.cache
def _classes() -> tuple[Any, Any]:
    """The function and the module of torch; made here, since torch is imported where it is needed."""
    import torch

    class Convolve(torch.autograd.Function):
        @staticmethod
        def forward(
            context: Any, features: Any, harmonics: Any, weights: Any, source: Any, target: Any, paths: Paths
        ) -> Any:
            x = features.detach().numpy().take(paths.x_order, axis=1)  # rows along memory, unlike by an index
            out = np.zeros((len(x), paths.out_size), dtype=np.float32)
            y, w = harmonics.detach().contiguous().numpy(), weights.detach().contiguous().numpy()
            at = source.contiguous().numpy(), target.contiguous().numpy()
            _add_messages(x, y, w, *at, paths.entries, paths.places, paths.coefficients, out)
            context.kept = x, y, w, *at, paths
            return torch.from_numpy(out.take(paths.out_order_back, axis=1))

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context: Any, gradient: Any) -> Any:
            x, y, w, source, target, paths = context.kept
            of_out = gradient.numpy().take(paths.out_order, axis=1)
            of_x, of_y, of_w = np.zeros_like(x), np.zeros_like(y), np.zeros_like(w)
            tables = paths.entries, paths.places, paths.coefficients
            _add_gradients(x, y, w, source, target, *tables, of_out, of_x, of_y, of_w)
            back = torch.from_numpy(of_x.take(paths.x_order_back, axis=1))
            return back, torch.from_numpy(of_y), torch.from_numpy(of_w), None, None, None

    class Convolution(torch.nn.Module):
        def __init__(self, shipped: Any) -> None:
            super().__init__()
            self.shipped, self.paths = shipped, Paths(shipped.convolution)

        def forward(self, data: Any) -> Any:
            shipped = self.shipped
            weights = shipped.weight_nn(data[shipped.key_weight_input])
            target, source = data[shipped.key_edge_idx]
            messages = convolve(data[shipped.key_x], data[shipped.key_filter], weights, source, target, self.paths)
            data[shipped.key_x] = messages.div(shipped.denominator)
            return data

    return Convolve, Convolution


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """By numba; kept between processes where a folder for that can be written, as in an installation of one's own."""
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, fastmath=True)(function)
    except RuntimeError:
        compiled = numba.njit(fastmath=True)(function)
    return compiled


@_compiled
def _add_messages(x, y, w, source, target, entries, places, coefficients, out):  # type: ignore[no-untyped-def]
    """Add to `out`, shape (n_atoms, n_out), the message of every edge from its source to its target."""
    for edge in range(len(source)):
        features, harmonics, weights, outputs = x[source[edge]], y[edge], w[edge], out[target[edge]]
        for entry in range(len(entries)):
            x0, out0, w0, channels, first, last = entries[entry]
            factor = np.float32(0.0)
            for term in range(first, last):
                factor += coefficients[term] * harmonics[places[term]]
            whole = channels - channels % BLOCK
            for start in range(0, whole, BLOCK):
                feature = features[x0 + start : x0 + start + BLOCK]
                weight = weights[w0 + start : w0 + start + BLOCK]
                output = outputs[out0 + start : out0 + start + BLOCK]
                for u in range(BLOCK):
                    output[u] += factor * weight[u] * feature[u]
            for u in range(whole, channels):
                outputs[out0 + u] += factor * weights[w0 + u] * features[x0 + u]


@_compiled
def _add_gradients(  # type: ignore[no-untyped-def]
    x, y, w, source, target, entries, places, coefficients, of_out, of_x, of_y, of_w
):
    """Add to `of_x`, `of_y` and `of_w` the derivatives of a scalar whose derivative by the output is `of_out`."""
    for edge in range(len(source)):
        features, harmonics, weights, outputs = x[source[edge]], y[edge], w[edge], of_out[target[edge]]
        of_features, of_harmonics, of_weights = of_x[source[edge]], of_y[edge], of_w[edge]
        for entry in range(len(entries)):
            x0, out0, w0, channels, first, last = entries[entry]
            factor, of_factor = np.float32(0.0), np.float32(0.0)
            for term in range(first, last):
                factor += coefficients[term] * harmonics[places[term]]
            whole = channels - channels % BLOCK
            for start in range(0, whole, BLOCK):
                feature = features[x0 + start : x0 + start + BLOCK]
                weight = weights[w0 + start : w0 + start + BLOCK]
                output = outputs[out0 + start : out0 + start + BLOCK]
                of_feature = of_features[x0 + start : x0 + start + BLOCK]
                of_weight = of_weights[w0 + start : w0 + start + BLOCK]
                for u in range(BLOCK):
                    of_message = weight[u] * output[u]
                    of_factor += feature[u] * of_message
                    of_feature[u] += factor * of_message
                    of_weight[u] += factor * feature[u] * output[u]
            for u in range(whole, channels):
                of_message = weights[w0 + u] * outputs[out0 + u]
                of_factor += features[x0 + u] * of_message
                of_features[x0 + u] += factor * of_message
                of_weights[w0 + u] += factor * features[x0 + u] * outputs[out0 + u]
            for term in range(first, last):
                of_harmonics[places[term]] += coefficients[term] * of_factor
