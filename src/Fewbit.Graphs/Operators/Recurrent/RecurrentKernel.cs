using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>Runs an RNN or GRU: one product projects the inputs of all steps, then each step multiplies the state.</summary>
internal sealed unsafe class RecurrentKernel<T> : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly Recurrent _op;
    private readonly RecurrentShape _shape;
    private readonly Tensor?[] _packedW, _packedR, _packedCandidate;
    private readonly int _width;
    private readonly T _clip;

    /// <param name="op">The node's attributes.</param>
    /// <param name="shape">All lengths.</param>
    /// <param name="w">The input weight where it is constant.</param>
    /// <param name="r">The recurrent weight where it is constant.</param>
    public RecurrentKernel(Recurrent op, RecurrentShape shape, Tensor? w, Tensor? r)
    {
        (_op, _shape, _width, _clip) = (op, shape, op.Gates * shape.Hidden, T.CreateChecked(op.Clip));
        (_packedW, _packedR, _packedCandidate) = (new Tensor?[shape.Directions], new Tensor?[shape.Directions], new Tensor?[shape.Directions]);
        for (int d = 0; d < shape.Directions; d++)
        {
            if (w is not null) _packedW[d] = PackedRight.Of(w, _width, shape.Input, true, (long)d * _width * shape.Input);
            if (r is null) continue;
            _packedR[d] = PackedRight.Of(r, RecurrentWidth, shape.Hidden, true, (long)d * _width * shape.Hidden);
            if (ResetsFirst) _packedCandidate[d] = PackedRight.Of(r, shape.Hidden, shape.Hidden, true, ((long)d * _width + RecurrentWidth) * shape.Hidden);
        }
    }

    /// <summary>A GRU whose reset gate acts on the state before the product multiplies twice a step.</summary>
    private bool ResetsFirst => _op.Cell == Cell.Gru && !_op.Variant;

    private int RecurrentWidth => ResetsFirst ? 2 * _shape.Hidden : _width;

    public void Run(EvaluationContext context)
    {
        int rows = _shape.Steps * _shape.Batch, state = _shape.Batch * _shape.Hidden;
        long product = Math.Max(ScratchOf(rows, _width, _shape.Input), ScratchOf(_shape.Batch, _width, _shape.Hidden)) + 64;
        long floats = (long)rows * _width + (long)_shape.Batch * _width + 2L * state + 2L * _width + 64;
        byte* scratch = (byte*)context.Scratch(product + floats * sizeof(T));
        var memory = new Span<T>(scratch + product / 64 * 64, checked((int)floats));
        if (context.HasOutput(0)) context.Output(0).Span<T>().Clear();
        for (int d = 0; d < _shape.Directions; d++) new DirectionRun(this, context, d, scratch, memory).Run();
    }

    private static long ScratchOf(int m, int n, int k) => typeof(T) == typeof(float) ? Gemm.ScratchBytes(m, n, k) : 0;

    /// <summary>c = a * b' where b is stored [n, k].</summary>
    private static void Multiply(int m, int n, int k, Span<T> a, Span<T> b, Tensor? packed, Span<T> c, void* scratch)
    {
        if (typeof(T) != typeof(float))
        {
            MatrixReference.Multiply<T>(m, n, k, a, false, b, true, T.One, c);
            return;
        }
        fixed (T* pa = a, pb = b, pc = c)
        {
            GemmProblem problem = GemmProblem.Dense(m, n, k, (float*)pa, (float*)pb, (float*)pc, transposeB: true);
            if (packed is not null) problem.PackedB = PackedRight.View(packed, n, k);
            Gemm.Run(problem, scratch);
        }
    }

    /// <summary>One direction of one run.</summary>
    private readonly ref struct DirectionRun
    {
        private readonly RecurrentKernel<T> _kernel;
        private readonly EvaluationContext _context;
        private readonly int _direction;
        private readonly void* _scratch;
        private readonly Span<T> _projected, _recurrent, _hidden, _reset, _bias;

        public DirectionRun(RecurrentKernel<T> kernel, EvaluationContext context, int direction, void* scratch, Span<T> memory)
        {
            (_kernel, _context, _direction) = (kernel, context, direction);
            _scratch = scratch;
            RecurrentShape shape = kernel._shape;
            int rows = shape.Steps * shape.Batch, state = shape.Batch * shape.Hidden, width = kernel._width;
            _projected = memory[..(rows * width)];
            memory = memory[(rows * width)..];
            _recurrent = memory[..(shape.Batch * width)];
            memory = memory[(shape.Batch * width)..];
            _hidden = memory[..state];
            _reset = memory.Slice(state, state);
            _bias = memory.Slice(2 * state, 2 * width);
        }

        public void Run()
        {
            (RecurrentShape shape, int width) = (_kernel._shape, _kernel._width);
            Multiply(shape.Steps * shape.Batch, width, shape.Input, _context.Input(0).Span<T>(), Weight(1, width * shape.Input), _kernel._packedW[_direction], _projected, _scratch);
            PrepareBias();
            ReadState(Recurrent.InitialHidden, _hidden);
            bool isReverse = _direction == 1 || _kernel._op.Direction == "reverse";
            for (int i = 0; i < shape.Steps; i++) Step(isReverse ? shape.Steps - 1 - i : i);
            WriteState(1, _hidden);
        }

        private Span<T> Weight(int input, int count) => _context.Input(input).Span<T>().Slice(_direction * count, count);

        /// <summary>The bias of the input product goes to the projection, with that of the recurrent product wherever the two are just added.</summary>
        private void PrepareBias()
        {
            int width = _kernel._width, hidden = _kernel._shape.Hidden;
            _bias.Clear();
            if (_context.FindInput(Recurrent.Bias) is not { } bias) return;
            Span<T> stated = bias.Span<T>().Slice(_direction * 2 * width, 2 * width), input = _bias[..width], recurrent = _bias[width..];
            stated[..width].CopyTo(input);
            int added = _kernel._op.Cell == Cell.Gru && _kernel._op.Variant ? 2 * hidden : width;
            TensorPrimitives.Add(input[..added], stated.Slice(width, added), input[..added]);
            stated[(width + added)..].CopyTo(recurrent[added..]);
            for (int row = 0; row < _projected.Length; row += width) TensorPrimitives.Add(_projected.Slice(row, width), input, _projected.Slice(row, width));
        }

        private void Step(int t)
        {
            RecurrentShape shape = _kernel._shape;
            (int width, int product) = (_kernel._width, _kernel.RecurrentWidth);
            Multiply(shape.Batch, product, shape.Hidden, _hidden, Weight(2, width * shape.Hidden), _kernel._packedR[_direction], _recurrent[..(shape.Batch * product)], _scratch);
            for (int n = 0; n < shape.Batch; n++)
            {
                if (!IsAlive(t, n)) continue;
                Span<T> x = _projected.Slice(shape.RowOf(t, n) * width, width), h = _hidden.Slice(n * shape.Hidden, shape.Hidden), r = _recurrent.Slice(n * product, product);
                if (_kernel._op.Cell == Cell.Rnn) Rnn(x, r, h);
                else Gru(x, r, h, _reset.Slice(n * shape.Hidden, shape.Hidden));
            }
            if (_kernel.ResetsFirst) FinishGru(t);
            if (!_context.HasOutput(0)) return;
            for (int n = 0; n < shape.Batch; n++)
            {
                if (IsAlive(t, n)) _hidden.Slice(n * shape.Hidden, shape.Hidden).CopyTo(_context.Output(0).Span<T>()[(int)shape.OutputAt(t, _direction, n)..]);
            }
        }

        private void Rnn(Span<T> x, Span<T> r, Span<T> h)
        {
            TensorPrimitives.Add(x, r, h);
            Activate(0, h);
        }

        /// <summary>Gates of a GRU; where the reset gate acts first, the candidate follows once reset * H is multiplied for the whole batch.</summary>
        private void Gru(Span<T> x, Span<T> r, Span<T> h, Span<T> reset)
        {
            int size = h.Length;
            Span<T> gates = x[..(2 * size)], update = x[..size], candidate = x[(2 * size)..];
            TensorPrimitives.Add(gates, r[..(2 * size)], gates);
            Activate(0, gates);
            ReadOnlySpan<T> open = x.Slice(size, size);
            if (_kernel.ResetsFirst)
            {
                TensorPrimitives.Multiply(open, h, reset);
                return;
            }
            Span<T> product = r[(2 * size)..];
            TensorPrimitives.Add(product, _bias.Slice(_kernel._width + 2 * size, size), product);
            TensorPrimitives.Multiply(open, product, product);
            TensorPrimitives.Add(candidate, product, candidate);
            Blend(update, candidate, h);
        }

        private void FinishGru(int t)
        {
            RecurrentShape shape = _kernel._shape;
            int size = shape.Hidden, width = _kernel._width;
            Span<T> products = _recurrent[..(shape.Batch * size)];
            Multiply(shape.Batch, size, size, _reset, Weight(2, width * size)[(2 * size * size)..], _kernel._packedCandidate[_direction], products, _scratch);
            for (int n = 0; n < shape.Batch; n++)
            {
                if (!IsAlive(t, n)) continue;
                Span<T> x = _projected.Slice(shape.RowOf(t, n) * width, width), candidate = x[(2 * size)..];
                TensorPrimitives.Add(candidate, products.Slice(n * size, size), candidate);
                Blend(x[..size], candidate, _hidden.Slice(n * size, size));
            }
        }

        /// <summary>H = (1 - update) * g(candidate) + update * H.</summary>
        private void Blend(Span<T> update, Span<T> candidate, Span<T> h)
        {
            Activate(1, candidate);
            for (int j = 0; j < h.Length; j++) h[j] = (T.One - update[j]) * candidate[j] + update[j] * h[j];
        }

        private void Activate(int index, Span<T> x)
        {
            int perDirection = _kernel._op.Activations.Length / _kernel._shape.Directions;
            _kernel._op.Activations[_direction * perDirection + index].Apply(x, _kernel._clip);
        }

        private bool IsAlive(int t, int n) => _context.FindInput(Recurrent.Lengths) is not { } lengths || t < lengths.Span<int>()[n];

        private void ReadState(int input, Span<T> state)
        {
            int hidden = _kernel._shape.Hidden;
            if (_context.FindInput(input) is not { } tensor)
            {
                state.Clear();
                return;
            }
            for (int n = 0; n < _kernel._shape.Batch; n++) tensor.Span<T>().Slice(_kernel._shape.StateAt(_direction, n), hidden).CopyTo(state[(n * hidden)..]);
        }

        private void WriteState(int output, Span<T> state)
        {
            int hidden = _kernel._shape.Hidden;
            if (!_context.HasOutput(output)) return;
            for (int n = 0; n < _kernel._shape.Batch; n++) state.Slice(n * hidden, hidden).CopyTo(_context.Output(output).Span<T>()[_kernel._shape.StateAt(_direction, n)..]);
        }
    }
}
