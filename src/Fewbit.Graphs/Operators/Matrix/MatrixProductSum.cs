using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX Gemm, opset 13: Alpha * op(A) * op(B) + Beta * C, where C broadcasts to [M, N].</summary>
internal sealed record MatrixProductSum(float Alpha, float Beta, bool TransposeA, bool TransposeB) : ICompiledOperator, IDifferentiable
{
    public static MatrixProductSum Parse(Node node) => new(node.Float("alpha", 1), node.Float("beta", 1), node.Int("transA", 0) != 0, node.Int("transB", 0) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 3);
        ElementType type = context.InputType(0);
        for (int i = 1; i < context.InputCount; i++)
        {
            if (context.HasInput(i)) node.Expect(context.InputType(i) == type, $"input {i} is {context.InputType(i).Name()}, expected {type.Name()} as input 0");
        }
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } a && context.InputShape(1) is { } b)
        {
            node.Expect(a.Rank == 2 && b.Rank == 2, $"inputs have shape {a} and {b}, expected matrices");
            (Dim rows, Dim innerA) = TransposeA ? (a[1], a[0]) : (a[0], a[1]);
            (Dim innerB, Dim columns) = TransposeB ? (b[1], b[0]) : (b[0], b[1]);
            node.Expect(innerA.MayEqual(innerB), $"inputs of shape {a}{(TransposeA ? " (transposed)" : "")} and {b}{(TransposeB ? " (transposed)" : "")} do not fit: {innerA} columns meet {innerB} rows");
            shape = [rows, columns];
            if (context.HasInput(2) && context.InputShape(2) is { } c)
                node.Expect(c.Rank <= 2 && SymbolicShape.Broadcast(shape, c) is { } sum && sum[0].MayEqual(rows) && sum[1].MayEqual(columns), $"C has shape {c}, which does not broadcast to {shape}");
        }
        context.SetOutput(0, type, shape);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        (Shape a, Shape output) = (context.InputShape(0), context.OutputShape(0));
        var shape = new MatMulShape(checked((int)output[0]), checked((int)output[1]), checked((int)(TransposeA ? a[0] : a[1])), TransposeA, TransposeB, [0], [0]);
        Shape? c = context.HasInput(2) ? context.InputShape(2) : null;
        return context.InputType(0) switch
        {
            ElementType.Float32 => new FloatKernel(this, shape, c, context.Constant(1)),
            ElementType.Float64 => new Kernel<double>(this, shape, c),
            ElementType.Int32 => new Kernel<int>(this, shape, c),
            ElementType.Int64 => new Kernel<long>(this, shape, c),
            ElementType.UInt32 => new Kernel<uint>(this, shape, c),
            ElementType.UInt64 => new Kernel<ulong>(this, shape, c),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value a, Value b) = (context.Input(0), context.Input(1));
        if (context.Needs(0)) context.SetInputGradient(0, TransposeA ? Product(b, gradient, TransposeB, true) : Product(gradient, b, false, !TransposeB));
        if (context.Needs(1)) context.SetInputGradient(1, TransposeB ? Product(gradient, a, true, TransposeA) : Product(a, gradient, !TransposeA, false));
        if (context.Needs(2)) context.SetInputGradient(2, (Beta == 1 ? gradient : gradient * Beta).SumToShapeOf(context.Input(2)));
    }

    private Value Product(Value a, Value b, bool transposeA, bool transposeB) =>
        a.Apply("Gemm", new Attributes { { "alpha", Alpha }, { "transA", transposeA }, { "transB", transposeB } }, b);

    private sealed class Kernel<T>(MatrixProductSum attributes, MatMulShape shape, Shape? addend) : IKernel where T : unmanaged, INumber<T>
    {
        public void Run(EvaluationContext context)
        {
            Span<T> output = context.Output(0).Span<T>();
            MatrixReference.Multiply(shape.M, shape.N, shape.K, context.Input(0).Span<T>(), shape.TransposeA, context.Input(1).Span<T>(), shape.TransposeB, T.CreateChecked(attributes.Alpha), output);
            if (addend is not { } c || attributes.Beta == 0) return;
            Span<T> added = context.Input(2).Span<T>();
            T beta = T.CreateChecked(attributes.Beta);
            (int rowStep, int columnStep) = Steps(c);
            for (int i = 0; i < output.Length; i++) output[i] += beta * added[i / shape.N * rowStep + i % shape.N * columnStep];
        }
    }

    /// <summary>Elements from one row, and from one column, to the next in C; 0 where it is broadcast.</summary>
    private static (int Row, int Column) Steps(Shape c)
    {
        int columns = c.Rank >= 1 ? (int)c.Dims[^1] : 1;
        return (c.Rank == 2 && c[0] > 1 ? columns : 0, columns > 1 ? 1 : 0);
    }

    private sealed unsafe class FloatKernel : IKernel
    {
        private readonly MatrixProductSum _attributes;
        private readonly MatMulShape _shape;
        private readonly Shape? _addend;
        private readonly Tensor? _packed;

        public FloatKernel(MatrixProductSum attributes, MatMulShape shape, Shape? addend, Tensor? right)
        {
            (_attributes, _shape, _addend) = (attributes, shape, attributes.Beta == 0 ? null : addend);
            if (right is not null && shape.M > 1) _packed = PackedRight.Of(right, shape.N, shape.K, shape.TransposeB);
        }

        public void Run(EvaluationContext context)
        {
            float* output = (float*)context.Output(0).Address;
            GemmProblem problem = GemmProblem.Dense(_shape.M, _shape.N, _shape.K, (float*)context.Input(0).Address, (float*)context.Input(1).Address, output, _shape.TransposeA, _shape.TransposeB);
            problem.Alpha = _attributes.Alpha;
            if (_packed is not null) problem.PackedB = PackedRight.View(_packed, _shape.N, _shape.K);
            if (_addend is { } c) Add(context.Input(2), c, ref problem);
            Gemm.Run(problem, context.Scratch(Gemm.ScratchBytes(problem)));
        }

        /// <summary>A row or column of C rides in the epilogue; anything else is laid out in the output first.</summary>
        private void Add(Tensor addend, Shape c, ref GemmProblem problem)
        {
            float* from = (float*)addend.Address;
            (int rowStep, int columnStep) = Steps(c);
            if (_attributes.Beta == 1 && rowStep == 0 && columnStep == 1)
            {
                problem.Epilogue.ColumnBias = from;
                return;
            }
            if (_attributes.Beta == 1 && rowStep == 1 && columnStep == 0)
            {
                problem.Epilogue.RowBias = from;
                return;
            }
            problem.Beta = _attributes.Beta;
            for (int i = 0; i < _shape.M; i++)
            {
                for (int j = 0; j < _shape.N; j++) problem.C[(long)i * _shape.N + j] = from[i * rowStep + j * columnStep];
            }
        }
    }
}
