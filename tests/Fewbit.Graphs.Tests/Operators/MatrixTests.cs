using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class MatrixTests
{
    [Theory]
    [InlineData(new long[] { 5, 7 }, new long[] { 7, 33 }, new long[] { 5, 33 })]
    [InlineData(new long[] { 7 }, new long[] { 7, 3 }, new long[] { 3 })]
    [InlineData(new long[] { 2, 3, 7 }, new long[] { 7 }, new long[] { 2, 3 })]
    [InlineData(new long[] { 7 }, new long[] { 7 }, new long[0])]
    [InlineData(new long[] { 4, 1, 5, 6 }, new long[] { 3, 6, 2 }, new long[] { 4, 3, 5, 2 })]
    [InlineData(new long[] { 2, 3, 5, 6 }, new long[] { 6, 40 }, new long[] { 2, 3, 5, 40 })]
    [InlineData(new long[] { 2, 5, 0 }, new long[] { 0, 4 }, new long[] { 2, 5, 4 })]
    public void MatMul_Broadcast_EqualsLoops(long[] a, long[] b, long[] expectedShape)
    {
        (Tensor x, Tensor y) = (OneNode.Numbers(1, a), OneNode.Numbers(2, b));
        Tensor z = OneNode.Run("MatMul", [], x, y);
        Assert.Equal(expectedShape, z.Shape.Dims.ToArray());
        long k = a[^1], n = b.Length > 1 ? b[^1] : 1, m = a.Length > 1 ? a[^2] : 1;
        var expected = new double[z.ElementCount];
        long batch = m * n == 0 ? 0 : expected.Length / (m * n), innerBatch = b.Length > 2 ? b[0] : 1;
        for (int i = 0; i < expected.Length; i++)
        {
            long product = i / (m * n), row = i / n % m, column = i % n, ofA = a.Length == 4 && a[1] == 1 ? product / innerBatch : a.Length > 2 ? product : 0, ofB = product % innerBatch;
            for (long p = 0; p < k; p++) expected[i] += (double)x.Span<float>()[(int)((ofA * m + row) * k + p)] * y.Span<float>()[(int)((ofB * k + p) * n + column)];
        }
        OneNode.AssertClose(expected, z);
        Assert.True(batch >= 1);
    }

    [Theory]
    [InlineData(false, false, new long[] { 9 })]
    [InlineData(true, false, new long[] { 6, 1 })]
    [InlineData(false, true, new long[] { 6, 9 })]
    [InlineData(true, true, new long[0])]
    public void Gemm_TransposedAndBroadcast_EqualsLoops(bool transposeA, bool transposeB, long[] addend)
    {
        foreach ((float alpha, float beta) in new[] { (1f, 1f), (0.5f, -2f) })
        {
            (Tensor a, Tensor b, Tensor c) = (OneNode.Numbers(1, transposeA ? [5, 6] : [6, 5]), OneNode.Numbers(2, transposeB ? [9, 5] : [5, 9]), OneNode.Numbers(3, addend));
            var expected = new double[54];
            for (int i = 0; i < 54; i++)
            {
                (int row, int column) = (i / 9, i % 9);
                for (int p = 0; p < 5; p++) expected[i] += alpha * (double)a.Span<float>()[transposeA ? p * 6 + row : row * 5 + p] * b.Span<float>()[transposeB ? column * 5 + p : p * 9 + column];
                int at = addend.Length == 0 ? 0 : addend[^1] == 1 ? row : addend.Length == 1 ? column : i;
                expected[i] += beta * (double)c.Span<float>()[at];
            }
            Attributes attributes = new() { { "alpha", alpha }, { "beta", beta }, { "transA", transposeA }, { "transB", transposeB } };
            OneNode.AssertClose(expected, OneNode.Run("Gemm", attributes, a, b, c));
        }
    }

    [Fact]
    public void Infer_InnerLengthsDiffer_NamesBothShapes() =>
        Assert.Equal("MatMul 'it': inputs of shape [N, 4, 5] and [6, 7] do not fit: 5 columns meet 6 rows", OneNode.Error("MatMul", [], ["N", 4, 5], [6, 7]));
}
