using Fewbit.Data.Arrays;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Weights.Torch;

namespace Fewbit.Weights;

/// <summary>Reads tensors by name from files of weights, recognized by their content.</summary>
public static class WeightFile
{
    private const string Expected = "expected safetensors, .npz, .npy, or a PyTorch file of weights (.pth, .pt, .th)";
    private const int StartBytes = 265;

    /// <summary>Reads a file. Nothing in it is executed.</summary>
    /// <remarks>Of a PyTorch checkpoint the tensors under its key "state_dict" (or "model_state_dict", "model", "net") are taken; the prefix "module." that DataParallel puts before every name is taken off.</remarks>
    /// <param name="path">safetensors, .npz, .npy, or PyTorch's .pth, .pt, .th (zip or older pickle).</param>
    /// <param name="options">Limits; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is of no known kind, damaged, or holds more than tensors; the message names what.</exception>
    public static IReadOnlyDictionary<string, Tensor> Read(string path, WeightFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: there is no such file; {Expected}", path);
        long maxBytes = (options ?? new()).MaxBytes;
        Span<byte> start = stackalloc byte[StartBytes];
        using (FileStream file = File.OpenRead(path)) start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        if (start.StartsWith("PK"u8)) return TorchZip.Holds(path) ? TorchZip.Read(path, maxBytes) : NumpyFiles.ReadNpz(path, maxBytes);
        if (start.StartsWith((ReadOnlySpan<byte>)[0x93, (byte)'N', (byte)'U', (byte)'M'])) return new Dictionary<string, Tensor> { [Path.GetFileNameWithoutExtension(path)] = NumpyFiles.ReadNpy(path, maxBytes) };
        if (SafetensorsFile.Matches(start)) return Safetensors(path, maxBytes);
        if (start.Length > 0 && start[0] == PickleMachine.Protocol) return TorchLegacy.Read(path, maxBytes);
        throw new InvalidDataException($"{path}: is no file of weights that is known{Kind(start)}; {Expected}");
    }

    private static IReadOnlyDictionary<string, Tensor> Safetensors(string path, long maxBytes)
    {
        long bytes = new FileInfo(path).Length;
        return bytes <= maxBytes ? SafetensorsFile.Read(path).Tensors : throw new InvalidDataException($"{path}: has {bytes} bytes, more than the limit WeightFileOptions.MaxBytes of {maxBytes}");
    }

    private static string Kind(ReadOnlySpan<byte> start) => start switch
    {
        _ when start.Length == 0 => ": it is empty",
        _ when start.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'H', (byte)'D', (byte)'F']) => ": it is HDF5 (Keras); save the arrays with numpy.savez",
        _ when start.Length >= 262 && start.Slice(257, 5).SequenceEqual("ustar"u8) => ": it is a tar archive; if PyTorch before 0.2 wrote it, load and save it with a newer one",
        _ => $" (it starts with {Convert.ToHexString(start[..Math.Min(8, start.Length)])})",
    };
}
