using System.Numerics;
using System.Runtime.CompilerServices;

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
        if (isLast && keep == 0 && alpha == 1 && epilogue.ColumnBias == null && epilogue.Activation.Kind <= ActivationKind.Clip)
        {
            Clamp(tile, tileStride, row, column, rows, columns);
            return;
        }
        for (int r = 0; r < rows; r++, tile += tileStride)
        {
            long at = (long)(row + r) * stride + column;
            if (isLast && !epilogue.IsEmpty)
            {
                Finish(tile, c + at, at, row + r, column, columns, keep);
                if (epilogue.Activation.IsSmooth) epilogue.Activation.ApplySmooth(c + at, columns);
            }
            else Add(tile, c + at, columns, keep);
        }
    }

    /// <summary>What convolutions need: + row bias, + residual, an activation that is a clamp (none: to infinity). NaN passes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Clamp(float* tile, int tileStride, int row, int column, int rows, int columns)
    {
        ActivationKind kind = epilogue.Activation.Kind;
        float low = kind == ActivationKind.None ? float.NegativeInfinity : kind == ActivationKind.Relu ? 0 : epilogue.Activation.Low;
        float high = kind == ActivationKind.Clip ? epilogue.Activation.High : float.PositiveInfinity;
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
        float* residual = epilogue.Residual == null ? null : epilogue.Residual + at;
        Activation activation = epilogue.Activation.IsSmooth ? Activation.None : epilogue.Activation;
        int i = 0, width = Vector<float>.Count;
        for (; i + width <= columns; i += width)
        {
            Vector<float> x = *(Vector<float>*)(tile + i) * alpha;
            if (keep != 0) x += *(Vector<float>*)(to + i) * keep;
            x += new Vector<float>(bias);
            if (columnBias != null) x += *(Vector<float>*)(columnBias + i);
            if (residual != null) x += *(Vector<float>*)(residual + i);
            *(Vector<float>*)(to + i) = activation.Apply(x);
        }
        for (; i < columns; i++)
        {
            float x = tile[i] * alpha;
            if (keep != 0) x += to[i] * keep;
            x += bias;
            if (columnBias != null) x += columnBias[i];
            if (residual != null) x += residual[i];
            to[i] = activation.Apply(x);
        }
    }
}
