using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// ONNX MatMul, opset 13 (NumPy's matmul), and com.microsoft FusedMatMul: Alpha * op(A) * op(B), batch dimensions broadcast;
/// ai.fewbit FusedMatMul: Activation(that + bias of the columns + residual) where B is one matrix.
/// </summary>
/// <param name="TransposeA">Whether the last two dimensions of A are swapped first.</param>
/// <param name="TransposeB">Whether the last two dimensions of B are swapped first.</param>
/// <param name="Alpha">Factor of the product.</param>
/// <param name="Activation">What follows.</param>
internal sealed record MatMul(bool TransposeA = false, bool TransposeB = false, float Alpha = 1, Activation Activation = default) : ICompiledOperator, IDifferentiable, IInPlaceOperator
{
    public const int Bias = 2, Residual = 3;

    public static MatMul ParseWithEpilogue(Node node) => new(false, node.Int("transB", 0) != 0, node.Float("alpha", 1), FusedActivation.Parse(node));

    public static MatMul ParseFused(Node node)
    {
        node.Expect(node.Int("transBatchA", 0) == 0 && node.Int("transBatchB", 0) == 0, $"transBatchA and transBatchB are not supported, expected 0");
        return new(node.Int("transA", 0) != 0, node.Int("transB", 0) != 0, node.Float("alpha", 1));
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, HasEpilogue(node) ? 4 : 2);
        (ElementType type, ElementType other) = (context.InputType(0), context.InputType(1));
        node.Expect(type == other || type == ElementType.Undefined || other == ElementType.Undefined, $"multiplies a {type.Name()} and a {other.Name()} tensor, expected one type");
        SymbolicShape? shape = context.InputShape(0) is { } a && context.InputShape(1) is { } b ? Output(node, a, b) : null;
        node.Expect(!HasEpilogue(node) || type is ElementType.Float32 or ElementType.Undefined, $"multiplies {type.Name()} tensors, expected float32");
        context.SetOutput(0, type, shape);
    }

    private static bool HasEpilogue(Node node) => node.Domain == OperatorTable.FewbitDomain;

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        MatMulShape shape = MatMulShape.Of(context.InputShape(0), context.InputShape(1), TransposeA, TransposeB);
        return context.InputType(0) switch
        {
            ElementType.Float32 => new FloatMatMulKernel(shape, Alpha, context.Constant(1), Activation),
            ElementType.Float64 => new ReferenceMatMulKernel<double>(shape, Alpha),
            ElementType.Int32 when Alpha == 1 => new ReferenceMatMulKernel<int>(shape, 1),
            ElementType.Int64 when Alpha == 1 => new ReferenceMatMulKernel<long>(shape, 1),
            ElementType.UInt32 when Alpha == 1 => new ReferenceMatMulKernel<uint>(shape, 1),
            ElementType.UInt64 when Alpha == 1 => new ReferenceMatMulKernel<ulong>(shape, 1),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    /// <summary>The residual may be the result itself.</summary>
    public bool CanOverwrite(int index) => index == Residual;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        if (HasEpilogue(context.Node))
        {
            CompositeGradient.Apply(context, inputs =>
            {
                Value sum = Product(inputs[0]!, inputs[1]!, TransposeA, TransposeB);
                foreach (int added in (int[])[Bias, Residual]) sum = inputs.ElementAtOrDefault(added) is { } term ? sum + term : sum;
                return [FusedActivation.SpellOut(Activation, sum)];
            });
            return;
        }
        (Value a, Value b) = (context.Input(0), context.Input(1));
        if (a.Shape is not { } shapeA || b.Shape is not { } shapeB) throw context.Node.Fail("has an input of unknown rank, which its gradient rule needs");
        // Vectors become matrices of one row or column, the gradient with them.
        (Value left, Value right) = (shapeA.Rank == 1 ? Unsqueeze(a, 0) : a, shapeB.Rank == 1 ? Unsqueeze(b, 1) : b);
        if (shapeA.Rank == 1) gradient = Unsqueeze(gradient, shapeB.Rank == 1 ? -1 : -2);
        if (shapeB.Rank == 1) gradient = Unsqueeze(gradient, -1);
        if (context.Needs(0)) context.SetInputGradient(0, OfLeft(gradient, left, right, a));
        if (context.Needs(1)) context.SetInputGradient(1, OfRight(gradient, left, right, b));
    }

    private Value OfLeft(Value gradient, Value left, Value right, Value a)
    {
        Value full = TransposeA ? Product(right, gradient, TransposeB, true) : Product(gradient, right, false, !TransposeB);
        return Fit(full, left, a);
    }

    private Value OfRight(Value gradient, Value left, Value right, Value b)
    {
        if (right.Shape!.Rank == 2 && left.Shape!.Rank > 2 && !TransposeA)
        {
            // A matrix that all of the batch shares: its gradient is one product over rows of the whole batch.
            (Value rows, Value rowGradients) = (Flatten(left), Flatten(gradient));
            return Fit(TransposeB ? Product(rowGradients, rows, true, false) : Product(rows, rowGradients, true, false), right, b);
        }
        Value full = TransposeB ? Product(gradient, left, true, TransposeA) : Product(left, gradient, !TransposeA, false);
        return Fit(full, right, b);
    }

    private Value Product(Value a, Value b, bool transposeA, bool transposeB)
    {
        if (!transposeA && !transposeB && Alpha == 1) return a.Apply("MatMul", b);
        var attributes = new Attributes { { "transA", transposeA }, { "transB", transposeB }, { "alpha", Alpha } };
        return a.Apply(OperatorTable.MicrosoftDomain, "FusedMatMul", attributes, b);
    }

    private static Value Fit(Value gradient, Value matrix, Value original)
    {
        Value summed = gradient.SumToShapeOf(matrix);
        return matrix == original ? summed : summed.Apply("Reshape", original.Apply("Shape"));
    }

    private static Value Unsqueeze(Value value, long axis) => value.Apply("Unsqueeze", value.Graph.AddConstant("axes", Tensor.From(axis)));

    private static Value Flatten(Value value)
    {
        Value columns = value.Apply("Shape", new Attributes { { "start", -1 } });
        Value shape = value.Graph.AddConstant("rows", Tensor.From(-1L)).Apply("Concat", new Attributes { { "axis", 0 } }, columns);
        return value.Apply("Reshape", shape);
    }

    private SymbolicShape Output(Node node, SymbolicShape a, SymbolicShape b)
    {
        node.Expect(a.Rank >= 1 && b.Rank >= 1, $"inputs have shape {a} and {b}, expected at least one dimension each");
        (Dim rows, Dim innerA) = a.Rank == 1 ? (1, a[0]) : TransposeA ? (a.Dims[^1], a.Dims[^2]) : (a.Dims[^2], a.Dims[^1]);
        (Dim innerB, Dim columns) = b.Rank == 1 ? (b[0], 1) : TransposeB ? (b.Dims[^1], b.Dims[^2]) : (b.Dims[^2], b.Dims[^1]);
        node.Expect(innerA.MayEqual(innerB), $"inputs of shape {a}{(TransposeA ? " (transposed)" : "")} and {b}{(TransposeB ? " (transposed)" : "")} do not fit: {innerA} columns meet {innerB} rows");
        SymbolicShape? batch = SymbolicShape.Broadcast(Batch(a), Batch(b));
        node.Expect(batch is not null, $"batch dimensions of {a} and {b} do not broadcast");
        List<Dim> dims = [.. batch!];
        if (a.Rank > 1) dims.Add(rows);
        if (b.Rank > 1) dims.Add(columns);
        return new([.. dims]);
    }

    private static SymbolicShape Batch(SymbolicShape shape) => new(shape.Dims[..Math.Max(0, shape.Rank - 2)]);
}

/// <summary>All lengths of a batched matrix product, and where each operand of the batch starts.</summary>
/// <param name="M">Rows.</param>
/// <param name="N">Columns.</param>
/// <param name="K">Length of the sums.</param>
/// <param name="TransposeA">Whether A is stored [K, M].</param>
/// <param name="TransposeB">Whether B is stored [N, K].</param>
/// <param name="StartA">First element of A by product.</param>
/// <param name="StartB">First element of B by product.</param>
internal sealed record MatMulShape(int M, int N, int K, bool TransposeA, bool TransposeB, long[] StartA, long[] StartB)
{
    public int Count => StartA.Length;

    public static MatMulShape Of(Shape a, Shape b, bool transposeA, bool transposeB)
    {
        (transposeA, transposeB) = (transposeA && a.Rank > 1, transposeB && b.Rank > 1);
        (long rows, long inner) = a.Rank == 1 ? (1, a[0]) : transposeA ? (a.Dims[^1], a.Dims[^2]) : (a.Dims[^2], a.Dims[^1]);
        long columns = b.Rank == 1 ? 1 : transposeB ? b.Dims[^2] : b.Dims[^1];
        (Shape batchA, Shape batchB) = (new(a.Dims[..Math.Max(0, a.Rank - 2)]), new(b.Dims[..Math.Max(0, b.Rank - 2)]));
        Shape batch = Shape.Broadcast(batchA, batchB) ?? throw new InvalidOperationException($"Bug in MatMul: batches {batchA} and {batchB} passed inference");
        // One B for all rows of A: a single tall product.
        if (batchB.ElementCount == 1 && !transposeA && batchA.ElementCount > 1) (rows, batch, batchA, batchB) = (rows * batchA.ElementCount, Shape.Scalar, Shape.Scalar, Shape.Scalar);
        var (startA, startB) = (new long[batch.ElementCount], new long[batch.ElementCount]);
        var walk = new BroadcastWalk(batch, batchA, batchB);
        for (int i = 0; i < startA.Length; i++, walk.Next()) (startA[i], startB[i]) = (walk.A * rows * inner, walk.B * inner * columns);
        return new(checked((int)rows), checked((int)columns), checked((int)inner), transposeA, transposeB, startA, startB);
    }
}

/// <summary>Products by their definition, in any number type.</summary>
internal sealed class ReferenceMatMulKernel<T>(MatMulShape shape, float alpha) : IKernel where T : unmanaged, INumber<T>
{
    public void Run(EvaluationContext context)
    {
        for (int i = 0; i < shape.Count; i++)
        {
            int size = shape.M * shape.N;
            MatrixReference.Multiply(shape.M, shape.N, shape.K, context.Input(0).Span<T>()[(int)shape.StartA[i]..], shape.TransposeA,
                context.Input(1).Span<T>()[(int)shape.StartB[i]..], shape.TransposeB, T.CreateChecked(alpha), context.Output(0).Span<T>().Slice(i * size, size));
        }
    }
}

internal static class MatrixReference
{
    /// <summary>c += alpha * op(a) * op(b) where <paramref name="adds"/>, else c = ...</summary>
    public static void Multiply<T>(int m, int n, int k, ReadOnlySpan<T> a, bool transposeA, ReadOnlySpan<T> b, bool transposeB, T alpha, Span<T> c, bool adds = false) where T : unmanaged, INumber<T>
    {
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                T sum = T.Zero;
                for (int p = 0; p < k; p++) sum += a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j];
                c[i * n + j] = adds ? c[i * n + j] + alpha * sum : alpha * sum;
            }
        }
    }
}
