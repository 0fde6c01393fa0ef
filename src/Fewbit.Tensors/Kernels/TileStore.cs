using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>Writes a tile of sums into the result: C = epilogue(beta * C + alpha * tile).</summary>
internal readonly unsafe struct TileStore(float* c, int stride, float alpha, float beta, Epilogue epilogue)
{
    /// <param name="tile">Sums, row stride <paramref name="tileStride"/>.</param>
    /// <param name="tileStride">Columns of the tile buffer.</param>
    /// <param name="row">First row of C.</param>
    /// <param name="column">First column of C.</param>
    /// <param name="rows">Rows to write.</param>
    /// <param name="columns">Columns to write.</param>
    /// <param name="isFirst">No part of the sum lies in C yet.</param>
    /// <param name="isLast">The sum is complete: apply the epilogue.</param>
    public void Write(float* tile, int tileStride, int row, int column, int rows, int columns, bool isFirst, bool isLast)
    {
        float keep = isFirst ? beta : 1;
        bool isSmooth = isLast && epilogue.Activation.IsSmooth;
        if (isLast && alpha == 1 && keep is 0 or 1 && columns == 32 && tileStride == 32 && epilogue.Activation.Kind != ActivationKind.LeakyRelu && KernelPaths.Active >= KernelPath.Avx512)
        {
            Wide32(tile, row, column, rows, keep == 1, isSmooth);
            return;
        }
        if (isLast && keep == 0 && alpha == 1 && epilogue.ColumnBias == null && epilogue.Activation.Kind <= ActivationKind.Clip)
        {
            Clamp(tile, tileStride, row, column, rows, columns);
            return;
        }
        for (int r = 0; r < rows; r++)
        {
            float* sums = tile + r * tileStride;
            long at = (long)(row + r) * stride + column;
            if (isLast && !epilogue.IsEmpty) Finish(sums, isSmooth ? sums : c + at, at, row + r, column, columns, keep);
            else Add(sums, c + at, columns, keep);
        }
        if (!isSmooth) return;
        epilogue.Activation.ApplySmooth(tile, rows * tileStride);
        for (int r = 0; r < rows; r++) new ReadOnlySpan<float>(tile + r * tileStride, columns).CopyTo(new(c + (long)(row + r) * stride + column, columns));
    }

    /// <summary>What convolutions need: + row bias, + residual, an activation that is a clamp (none: to infinity). NaN passes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Clamp(float* tile, int tileStride, int row, int column, int rows, int columns)
    {
        (float low, float high) = Bounds();
        Vector<float> lows = new(low), highs = new(high);
        int width = Vector<float>.Count;
        for (int r = 0; r < rows; r++, tile += tileStride)
        {
            long at = (long)(row + r) * stride + column;
            float* to = c + at, residual = epilogue.Residual == null ? null : epilogue.Residual + at;
            float bias = epilogue.RowBias == null ? 0 : epilogue.RowBias[row + r];
            var biases = new Vector<float>(bias);
            int i = 0;
            for (; i + width <= columns; i += width)
            {
                Vector<float> x = *(Vector<float>*)(tile + i) + biases;
                if (residual != null) x += *(Vector<float>*)(residual + i);
                x = Vector.ConditionalSelect(Vector.LessThan(x, lows), lows, x);
                *(Vector<float>*)(to + i) = Vector.ConditionalSelect(Vector.GreaterThan(x, highs), highs, x);
            }
            for (; i < columns; i++)
            {
                float x = tile[i] + bias;
                if (residual != null) x += residual[i];
                to[i] = x < low ? low : x > high ? high : x;
            }
        }
    }

    /// <summary>The ends of 32 columns in AVX-512: all but LeakyRelu, alpha and other factors of C.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Wide32(float* tile, int row, int column, int rows, bool adds, bool isSmooth)
    {
        (float low, float high) = Bounds();
        float* to = c + (long)row * stride + column, held = to, residual = epilogue.Residual == null ? null : epilogue.Residual + (to - c);
        int step = stride;
        if (isSmooth)
        {
            to = tile;
            step = 32;
        }
        Vector512<float> lows = Vector512.Create(low), highs = Vector512.Create(high), b0 = Vector512<float>.Zero, b1 = b0;
        if (epilogue.ColumnBias != null) (b0, b1) = (Vector512.Load(epilogue.ColumnBias + column), Vector512.Load(epilogue.ColumnBias + column + 16));
        float* sums = tile;
        for (int r = 0; r < rows; r++, sums += 32, to += step, held += stride)
        {
            Vector512<float> x0 = Vector512.Load(sums), x1 = Vector512.Load(sums + 16);
            if (adds) (x0, x1) = (x0 + Vector512.Load(held), x1 + Vector512.Load(held + 16));
            if (epilogue.RowBias != null) (x0, x1) = (x0 + Vector512.Create(epilogue.RowBias[row + r]), x1 + Vector512.Create(epilogue.RowBias[row + r]));
            (x0, x1) = (x0 + b0, x1 + b1);
            if (residual != null)
            {
                (x0, x1) = (x0 + Vector512.Load(residual), x1 + Vector512.Load(residual + 16));
                residual += stride;
            }
            // NaN is the second operand, which these instructions return.
            Avx512F.Min(highs, Avx512F.Max(lows, x0)).Store(to);
            Avx512F.Min(highs, Avx512F.Max(lows, x1)).Store(to + 16);
        }
        if (!isSmooth) return;
        // The whole tile at once: the functions are long, and short runs of them would wait for their results.
        epilogue.Activation.ApplySmooth(tile, rows * 32);
        to = c + (long)row * stride + column;
        for (int r = 0; r < rows; r++, tile += 32, to += stride)
        {
            Vector512.Load(tile).Store(to);
            Vector512.Load(tile + 16).Store(to + 16);
        }
    }

    /// <summary>The clamp that the activation is; none: to infinity.</summary>
    private (float Low, float High) Bounds() => epilogue.Activation.Kind switch
    {
        ActivationKind.Relu => (0, float.PositiveInfinity),
        ActivationKind.Clip => (epilogue.Activation.Low, epilogue.Activation.High),
        _ => (float.NegativeInfinity, float.PositiveInfinity),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Add(float* tile, float* to, int columns, float keep)
    {
        int i = 0, width = Vector<float>.Count;
        // Without this branch a result buffer full of NaN would poison a product that does not read it.
        if (keep == 0)
        {
            for (; i + width <= columns; i += width) *(Vector<float>*)(to + i) = *(Vector<float>*)(tile + i) * alpha;
            for (; i < columns; i++) to[i] = tile[i] * alpha;
            return;
        }
        for (; i + width <= columns; i += width) *(Vector<float>*)(to + i) = *(Vector<float>*)(to + i) * keep + *(Vector<float>*)(tile + i) * alpha;
        for (; i < columns; i++) to[i] = to[i] * keep + tile[i] * alpha;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(float* tile, float* to, long at, int row, int column, int columns, float keep)
    {
        float bias = epilogue.RowBias == null ? 0 : epilogue.RowBias[row];
        float* columnBias = epilogue.ColumnBias == null ? null : epilogue.ColumnBias + column;
        float* residual = epilogue.Residual == null ? null : epilogue.Residual + at, held = c + at;
        Activation activation = epilogue.Activation.IsSmooth ? Activation.None : epilogue.Activation;
        int i = 0, width = Vector<float>.Count;
        for (; i + width <= columns; i += width)
        {
            Vector<float> x = *(Vector<float>*)(tile + i) * alpha;
            if (keep != 0) x += *(Vector<float>*)(held + i) * keep;
            x += new Vector<float>(bias);
            if (columnBias != null) x += *(Vector<float>*)(columnBias + i);
            if (residual != null) x += *(Vector<float>*)(residual + i);
            *(Vector<float>*)(to + i) = activation.Apply(x);
        }
        for (; i < columns; i++)
        {
            float x = tile[i] * alpha;
            if (keep != 0) x += held[i] * keep;
            x += bias;
            if (columnBias != null) x += columnBias[i];
            if (residual != null) x += residual[i];
            to[i] = activation.Apply(x);
        }
    }
}
