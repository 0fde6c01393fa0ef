using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Multiplies packed panels for a range of blocks of the inner dimension; a chunk is a rectangle of C. An operand that was packed for the range alone holds its first block as block 0.</summary>
internal readonly unsafe struct TileJob : IJob
{
    private const int MaxRowPanels = 12; // 288 KB of the left operand a block: they stay in the second-level cache while panels of the right one pass
    private const long MinChunkWork = 1 << 19; // multiply-adds: about ten microseconds
    private const int MaxChunks = 64; // the last chunk that a thread waits for is at most so small a part

    private const int MinRowPanels = 6, MinRowParts = 8; // where tiles pack the left operand: no more is read from the last-level cache than it gives

    private readonly GemmProblem _problem;
    private readonly FloatKernel _kernel;
    private readonly PackedMatrix _a, _b;
    private readonly PackJob _packLeft;
    private readonly int _firstBlock, _endBlock, _blocks, _rowParts, _columnParts;

    public TileJob(in GemmProblem problem, FloatKernel kernel, PackedMatrix a, PackedMatrix b, int firstBlock, int endBlock, int blocks, PackJob packLeft = default)
    {
        (_problem, _kernel, _a, _b, _packLeft, _firstBlock, _endBlock, _blocks) = (problem, kernel, a, b, packLeft, firstBlock, endBlock, blocks);
        if (problem.Epilogue.Residual == problem.C)
        {
            // Sums of one block replace the residual before the next: as a part of C it is added first.
            _problem.Beta += 1;
            _problem.Epilogue.Residual = null;
        }
        long work = (long)a.PanelTotal * b.PanelTotal * kernel.Rows * kernel.Columns * Math.Max(1, PackedMatrix.BlockLengthOf(problem.K)) * (endBlock - firstBlock);
        int chunks = (int)Math.Clamp(work / MinChunkWork, 1, MaxChunks);
        _rowParts = PackedMatrix.PanelCount(a.PanelTotal, MaxRowPanels);
        if (packLeft.Chunks > 0)
        {
            _columnParts = 1;
            _rowParts = Math.Max(_rowParts, Math.Min(chunks, a.PanelTotal / MinRowPanels));
            return;
        }
        _columnParts = Math.Clamp(PackedMatrix.PanelCount(chunks, _rowParts), 1, b.PanelTotal);
        _rowParts = Math.Min(Math.Max(_rowParts, chunks / _columnParts), a.PanelTotal);
    }

    public int Chunks => _rowParts * _columnParts;

    /// <summary>Whether each chunk packs its own panels of the left operand, right before it multiplies them by the whole right operand: they need not leave its cache. For many rows.</summary>
    public static bool PacksLeft(int rows, FloatKernel kernel) => PackedMatrix.PanelCount(rows, kernel.Rows) >= MinRowParts * MinRowPanels;

    public void Run(int chunk)
    {
        (int firstRow, int endRow) = Part(chunk / _columnParts, _rowParts, _a.PanelTotal);
        (int firstColumn, int endColumn) = Part(chunk % _columnParts, _columnParts, _b.PanelTotal);
        var store = new TileStore(_problem.C, _problem.StrideC, _problem.Alpha, _problem.Beta, _problem.Epilogue);
        float* tile = stackalloc float[_kernel.Rows * _kernel.Columns + 16];
        tile = (float*)(((nint)tile + 63) & ~63);
        for (int block = _firstBlock; block < _endBlock; block++)
        {
            int blockA = _a.Inner == _problem.K ? block : block - _firstBlock, length = _a.BlockSize(blockA), parts = endRow - firstRow;
            float* left = _a.PanelAt(blockA, firstRow);
            if (_packLeft.Chunks > 0)
            {
                left = _a.Data + (long)firstRow * _kernel.Rows * _a.BlockLength;
                _packLeft.Pack(blockA, firstRow, endRow, left);
            }
            int blockB = _b.Inner == _problem.K ? block : block - _firstBlock;
            for (int column = firstColumn; column < endColumn; column++)
            {
                float* right = _b.PanelAt(blockB, column);
                for (int row = firstRow; row < endRow; row++)
                {
                    float* next = right + (long)length * _kernel.Columns * (parts + row - firstRow) / parts;
                    Multiply(store, block, length, left + (long)(row - firstRow) * _kernel.Rows * length, right, row * _kernel.Rows, column * _kernel.Columns, tile, next, (_kernel.Columns + parts - 1) / parts);
                }
            }
        }
    }

    /// <remarks>From next on lies a part of the right panel after this one; it comes nearer with each tile, since the first tile of a panel would wait for memory otherwise.</remarks>
    private void Multiply(in TileStore store, int block, int length, float* left, float* right, int row, int column, float* tile, float* next, int nextStep)
    {
        int rows = Math.Min(_kernel.Rows, _problem.M - row), columns = Math.Min(_kernel.Columns, _problem.N - column);
        float* c = _problem.C + (long)row * _problem.StrideC + column;
        Prefetch(c, rows);
        bool isFirst = block == 0, isLast = block == _blocks - 1;
        if (_kernel.Whole == null || rows < _kernel.Rows || columns < _kernel.Columns)
        {
            _kernel.Body(length, left, right, _kernel.PanelOffsets, tile, rows, columns, false);
            store.Write(tile, _kernel.Columns, row, column, rows, columns, isFirst, isLast);
            return;
        }
        float keep = isFirst ? _problem.Beta : 1;
        if (_problem.Alpha == 1 && keep is 0 or 1 && (!isLast || _problem.Epilogue.IsEmpty))
        {
            _kernel.Whole(length, left, right, c, _problem.StrideC, keep == 1, next, nextStep);
            return;
        }
        _kernel.Whole(length, left, right, tile, _kernel.Columns, false, next, nextStep);
        store.Write(tile, _kernel.Columns, row, column, rows, columns, isFirst, isLast);
    }

    /// <summary>The place of the tile comes to the cache while its sums are computed.</summary>
    private void Prefetch(float* c, int rows)
    {
        if (!Sse.IsSupported) return;
        for (int r = 0; r < rows; r++, c += _problem.StrideC)
        {
            for (int i = 0; i < _kernel.Columns; i += 16) Sse.Prefetch0(c + i);
            Sse.Prefetch0(c + _kernel.Columns - 1); // a row of an odd length starts inside a cache line
        }
    }

    private static (int First, int End) Part(int part, int parts, int total) => ((int)((long)total * part / parts), (int)((long)total * (part + 1) / parts));
}
