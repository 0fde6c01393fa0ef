using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>An elementwise operation whose parameters change from row to row.</summary>
internal interface IRowKernel
{
    /// <summary>Computes elements of one row.</summary>
    /// <param name="start">The first element, counted from the first row on.</param>
    /// <param name="count">How many.</param>
    /// <param name="grid">Which parameters the row takes.</param>
    void Run(long start, long count, int grid);

    /// <summary>Called at the end of a chunk.</summary>
    void Finish();
}

/// <summary>Divides [rows, inner] by shape: a chunk is a part of a long row, or several short rows.</summary>
/// <param name="kernel">What is computed.</param>
/// <param name="rows">A multiple of the number of grids.</param>
/// <param name="inner">Elements of a row.</param>
/// <param name="grids">Row r takes grid r modulo their number.</param>
internal readonly struct RowChunks<TKernel>(TKernel kernel, long rows, long inner, int grids) : IJob where TKernel : struct, IRowKernel
{
    private const int ChunkElements = 1 << 15;
    private readonly long _parts = Math.Max(1, (inner + ChunkElements - 1) / ChunkElements), _rows = Math.Max(1, ChunkElements / Math.Max(1, inner));

    public int Chunks => checked((int)(_parts > 1 ? rows * _parts : (rows + _rows - 1) / _rows));

    public void Run(int chunk)
    {
        if (_parts > 1)
        {
            long row = chunk / _parts, start = chunk % _parts * ChunkElements;
            kernel.Run(row * inner + start, Math.Min(ChunkElements, inner - start), (int)(row % grids));
        }
        else
        {
            for (long row = chunk * _rows; row < Math.Min(rows, (chunk + 1) * _rows); row++) kernel.Run(row * inner, inner, (int)(row % grids));
        }
        kernel.Finish();
    }
}
