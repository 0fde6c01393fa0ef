using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>How a weight's codes become numbers in the file.</summary>
internal enum WeightStorage
{
    /// <summary>int8: code - zero point, or the multiple of the grid's unit; then DequantizeLinear.</summary>
    Centred,
    /// <summary>The format's own ONNX type, with its zero points; then DequantizeLinear.</summary>
    Typed,
    /// <summary>ONNX's 2- or 4-bit type, cast to int8; then DequantizeLinear: a runtime that folds the cast sees an int8 weight.</summary>
    Cast,
    /// <summary>Words that hold many codes each, taken apart and made int8; then DequantizeLinear.</summary>
    Words,
    /// <summary>Places in a table of int8 numbers, which Gather reads; then DequantizeLinear.</summary>
    IntegerTable,
    /// <summary>Codes cast to float32, minus zero points, times the scale.</summary>
    Converted,
    /// <summary>Places in a table of numbers, which Gather reads, times the scale.</summary>
    Table,
}

/// <summary>What decides the form of a node's weight, beside its format.</summary>
/// <param name="Container">Bytes, or as few bits as possible.</param>
/// <param name="IsConvolution">ONNX Runtime leaves a convolution with a 4-bit weight float, and does not load one with a 2-bit weight in front of a QuantizeLinear.</param>
/// <param name="MeetsCodes">Whether activations are quantized: then it may take a DequantizeLinear of any type for one that it can compute with, and not load the model.</param>
internal readonly record struct WeightPlace(WeightContainer Container, bool IsConvolution, bool MeetsCodes);

/// <summary>The form of one weight in the file.</summary>
/// <param name="Format">The codes.</param>
/// <param name="Storage">How they become numbers.</param>
/// <param name="Grid">The multiples that stand for the codes of a format other than integers; null where there are none.</param>
/// <param name="IsPacked">Whether codes of fewer than 8 bits lie side by side.</param>
/// <param name="IsBlocked">Whether blocks have scales of their own.</param>
internal sealed record WeightForm(NumberFormat Format, WeightStorage Storage, IntegerGrid? Grid, bool IsPacked, bool IsBlocked)
{
    private const int BlockedOpset = 21, OldestOpset = 13;

    /// <summary>The form that suits a place.</summary>
    public static WeightForm Of(NumberFormat format, bool isBlocked, WeightPlace place)
    {
        bool isSmall = place.Container == WeightContainer.Small && format.BitWidth < 8;
        // ONNX Runtime takes blocked scales for those of columns, and fails when it runs.
        bool avoidsBlocks = isBlocked && place.MeetsCodes;
        IntegerGrid? grid = avoidsBlocks ? null : IntegerGrid.Of(format);
        WeightStorage storage = format switch
        {
            IntegerFormat { BitWidth: <= 8 } when avoidsBlocks => WeightStorage.Converted,
            IntegerFormat { BitWidth: > 8 } or IntegerFormat { BitWidth: 8, IsSigned: false } => WeightStorage.Typed,
            IntegerFormat when !isSmall => WeightStorage.Centred,
            IntegerFormat { OnnxType: not null } => place.IsConvolution || place.MeetsCodes ? WeightStorage.Cast : WeightStorage.Typed,
            IntegerFormat => WeightStorage.Words,
            { OnnxType: >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ } => place.MeetsCodes ? WeightStorage.Converted : WeightStorage.Typed,
            _ when grid is not null => isSmall ? WeightStorage.IntegerTable : WeightStorage.Centred,
            _ => WeightStorage.Table,
        };
        return new(format, storage, grid, isSmall, isBlocked);
    }

    /// <summary>True where a DequantizeLinear gives the weight.</summary>
    public bool IsDequantized => Storage is not (WeightStorage.Converted or WeightStorage.Table);

    /// <summary>True where that reads 8-bit integers with a scale for each channel or one in all: then a node may run in integers.</summary>
    public bool IsInteger => IsDequantized && !IsBlocked && (Storage != WeightStorage.Typed || StoredType is ElementType.Int8 or ElementType.UInt8);

    /// <summary>What a scale is multiplied by in the file.</summary>
    public float ScaleFactor => IsDequantized && Grid is not null ? Grid.Unit : 1;

    /// <summary>The element type of typed codes.</summary>
    public ElementType StoredType => Format.OnnxType ?? Format.StorageType;

    /// <summary>The first opset with everything that the form needs.</summary>
    public int Opset => Math.Max(IsBlocked && IsDequantized ? BlockedOpset : OldestOpset,
        Storage is WeightStorage.Typed or WeightStorage.Cast || HoldsFloat8 ? OpsetOf(StoredType) : OldestOpset);

    /// <summary>True where codes of ONNX's 8-bit floats are cast to float32.</summary>
    public bool HoldsFloat8 => Storage == WeightStorage.Converted && Format is not IntegerFormat;

    /// <summary>What the file holds, for reports.</summary>
    public string Description => Storage switch
    {
        WeightStorage.Centred => "int8",
        WeightStorage.Typed => StoredType.Name(),
        WeightStorage.Cast => $"{StoredType.Name()}, cast to int8 on loading",
        WeightStorage.Words => $"packed {Format.BitWidth}-bit codes, int8 once loaded",
        WeightStorage.IntegerTable => $"packed {Format.BitWidth}-bit codes and a table, int8 once loaded",
        WeightStorage.Converted => IsPacked ? $"packed {Format.BitWidth}-bit codes, float once loaded" : $"{(HoldsFloat8 ? StoredType : Format.StorageType).Name()}, cast to float on loading",
        _ => IsPacked ? $"packed {Format.BitWidth}-bit codes and a table, float once loaded" : "uint8 codes and a table, float once loaded",
    };

    /// <summary>The first opset whose QuantizeLinear and DequantizeLinear take a type.</summary>
    public static int OpsetOf(ElementType type) => type switch
    {
        ElementType.UInt2 or ElementType.Int2 => 25,
        ElementType.Float4E2M1 => 23,
        ElementType.UInt4 or ElementType.Int4 or ElementType.UInt16 or ElementType.Int16 => 21,
        >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ => 19,
        _ => OldestOpset,
    };
}
